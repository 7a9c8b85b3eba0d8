// Fills the registries that Grafana's application fills when it starts: transformations and standard field options.
import * as grafana from '@grafana/data';

const STANDARD = {
    unit: grafana.unitOverrideProcessor,
    min: grafana.numberOverrideProcessor,
    max: grafana.numberOverrideProcessor,
    decimals: grafana.numberOverrideProcessor,
    displayName: grafana.displayNameOverrideProcessor,
    noValue: grafana.stringOverrideProcessor,
    color: grafana.identityOverrideProcessor,
    thresholds: grafana.thresholdsOverrideProcessor,
    mappings: grafana.valueMappingsOverrideProcessor,
    links: grafana.identityOverrideProcessor,
    description: grafana.stringOverrideProcessor,
    fieldMinMax: grafana.booleanOverrideProcessor,
    filterable: grafana.booleanOverrideProcessor,
};

function option(id, path, process, isCustom) {
    return { id, path, name: id, process, isCustom, shouldApply: () => true, settings: {}, override: null, editor: null };
}

/** The options that a panel's field configuration may set: the standard ones, and those of its own it names. */
export function fieldOptions(fieldConfig) {
    const named = (fieldConfig.overrides ?? []).flatMap((override) => override.properties.map((property) => property.id));
    const custom = new Set([
        ...Object.keys(fieldConfig.defaults?.custom ?? {}),
        ...named.filter((id) => id.startsWith('custom.')).map((id) => id.slice('custom.'.length)),
    ]);
    const unknown = named.find((id) => !id.startsWith('custom.') && !(id in STANDARD));
    if (unknown) {
        throw new Error(`override of ${unknown}, which is no field option`);
    }
    return new grafana.FieldConfigOptionsRegistry(() => [
        ...Object.entries(STANDARD).map(([id, process]) => option(id, id, process, false)),
        ...[...custom].map((path) => option(`custom.${path}`, path, grafana.identityOverrideProcessor, true)),
    ]);
}

// Some stand in the library under an old name, too.
function transformers() {
    return [...new Map(Object.values(grafana.standardTransformers).map((transformer) => [transformer.id, transformer])).values()];
}

/** To be called once, before anything is drawn. */
export function initialise() {
    window.__grafana_public_path__ = '/public/';
    grafana.standardFieldConfigEditorRegistry.setInit(() => fieldOptions({}).list());
    grafana.standardTransformersRegistry.setInit(() =>
        transformers().map((transformation) => ({
            id: transformation.id,
            name: transformation.name,
            transformation: async () => transformation,
        })),
    );
}
