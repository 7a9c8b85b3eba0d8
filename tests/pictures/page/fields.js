// Transforms a panel's frames and applies its field configuration, with Grafana's own code.
import { applyFieldOverrides, cacheFieldDisplayNames, standardTransformersRegistry, transformDataFrame } from '@grafana/data';
import { merge } from 'lodash';

import { fieldOptions } from './grafana.js';

const THRESHOLDS = {
    mode: 'absolute',
    steps: [
        { value: -Infinity, color: 'green' },
        { value: 80, color: 'red' },
    ],
};

// JSON has no infinity: the first step's value is null there.
function withBase(thresholds) {
    const [first, ...others] = thresholds.steps;
    return { ...thresholds, steps: [{ ...first, value: first.value ?? -Infinity }, ...others] };
}

/** A panel's field configuration with what its type takes where the panel says nothing. */
export function fieldConfigOf(panel, typeDefaults) {
    const { defaults = {}, overrides = [] } = panel.fieldConfig ?? {};
    const merged = merge({ custom: {}, mappings: [] }, typeDefaults, defaults);
    return { defaults: { ...merged, thresholds: withBase(defaults.thresholds ?? THRESHOLDS) }, overrides };
}

function transformations(panel) {
    const wanted = (panel.transformations ?? []).filter((one) => !one.disabled);
    const unknown = wanted.find((one) => !standardTransformersRegistry.getIfExists(one.id));
    if (unknown) {
        throw new Error(`transformation ${unknown.id}, which this program does not know`);
    }
    return wanted;
}

function transformed(panel, frames, replace) {
    return new Promise((resolve, reject) => {
        transformDataFrame(transformations(panel), frames, { interpolate: replace }).subscribe({ next: resolve, error: reject });
    });
}

/** The frames as the panel shows them. */
export async function shownFrames(panel, frames, fieldConfig, theme, replace) {
    const shown = applyFieldOverrides({
        data: await transformed(panel, frames, replace),
        fieldConfig,
        fieldConfigRegistry: fieldOptions(fieldConfig),
        replaceVariables: replace,
        theme,
        timeZone: 'utc',
    });
    cacheFieldDisplayNames(shown);
    return shown;
}
