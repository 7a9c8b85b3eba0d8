// A legend below or beside a drawing that Grafana's library has no panel for.
import { VizLayout, VizLegend } from '@grafana/ui';

/** `children(width, height)` is the drawing; `items` are label, colour and perhaps values. */
export function WithLegend({ view, items, width, height, children }) {
    const { showLegend = true, displayMode = 'list', placement = 'bottom' } = view.options.legend ?? {};
    const all = items.map((item) => ({ yAxis: 1, ...item }));
    const legend = showLegend && displayMode !== 'hidden' && all.length > 0 && (
        <VizLayout.Legend placement={placement}>
            <VizLegend items={all} placement={placement} displayMode={displayMode} />
        </VizLayout.Legend>
    );
    return (
        <VizLayout width={width} height={height} legend={legend || null}>
            {children}
        </VizLayout>
    );
}

/** What colours mean where they come from mappings or thresholds rather than from series. */
export function meaningOfColours({ fieldConfig, theme }) {
    const { mappings, thresholds, color } = fieldConfig.defaults;
    const byName = (name) => theme.visualization.getColorByName(name);
    const mapped = mappings.flatMap((mapping) =>
        mapping.type === 'value'
            ? Object.entries(mapping.options).map(([value, result]) => ({ ...result, text: result.text ?? value }))
            : [mapping.options.result],
    );
    if (mapped.length > 0) {
        return mapped.map(({ text, color }) => ({ label: text ?? '', color: byName(color ?? 'gray') }));
    }
    if (color?.mode !== 'thresholds') {
        return [];
    }
    return thresholds.steps.map(({ value, color }) => ({
        label: Number.isFinite(value) ? `${value}+` : '< first',
        color: byName(color),
    }));
}
