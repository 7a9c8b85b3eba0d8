// Bars by category (bar chart) and by size of the value (histogram).
import {
    buildHistogram,
    FieldType,
    formattedValueToString,
    getFieldDisplayName,
    getFieldSeriesColor,
    histogramFieldsToFrame,
} from '@grafana/data';

import { Plot } from '../plot.jsx';
import { WithLegend } from './legend.jsx';

const ROOM_ABOVE = 1.1;
const fieldDefaults = { color: { mode: 'palette-classic' }, custom: { lineWidth: 1, fillOpacity: 80, hideFrom: { viz: false } } };

const isShown = (field) => field.type === FieldType.number && !field.config.custom?.hideFrom?.viz;

/** The categories and the numeric fields of the first frame. */
function tableOf({ frames, options }) {
    const [frame] = frames;
    if (!frame) {
        return { categories: [], series: [] };
    }
    const named = options.xField && frame.fields.find((field) => getFieldDisplayName(field, frame, frames) === options.xField);
    const category =
        named ??
        frame.fields.find((field) => field.type === FieldType.string) ??
        frame.fields.find((field) => field.type === FieldType.time);
    if (!category) {
        throw new Error('a bar chart needs a field of text or time');
    }
    const series = frame.fields.filter((field) => field !== category && isShown(field));
    return { frame, categories: category.values.map((value) => formattedValueToString(category.display(value))), series };
}

function countTable(view) {
    const { categories, series } = tableOf(view);
    return categories.length > 0 ? series.length : 0;
}

/** The bars of a table: which category, from where to where across it, and between which values. */
function barsOf({ categories, series }, { stacking = 'none', groupWidth = 0.7, barWidth = 0.97 }) {
    return categories.flatMap((_, at) => {
        let base = 0;
        return series.map((field, index) => {
            const value = field.values[at] ?? 0;
            const share = stacking === 'none' ? groupWidth / series.length : groupWidth;
            const start = at + (1 - groupWidth) / 2 + (stacking === 'none' ? index * share : 0);
            const bar = { field, value, across: [start, start + share * barWidth], along: [base, base + value] };
            base = stacking === 'none' ? 0 : base + value;
            return bar;
        });
    });
}

function drawBars(pencil, bars, { isHorizontal, theme, showValue, count }) {
    for (const { field, value, across, along } of bars) {
        const shown = field.display(value);
        const color = field.config.color?.mode === 'thresholds' ? shown.color : getFieldSeriesColor(field, theme).color;
        const filled = `color-mix(in srgb, ${color} ${field.config.custom.fillOpacity}%, transparent)`;
        const mirrored = across.map((place) => count - place);
        const sides = isHorizontal ? [along, mirrored] : [across, along];
        pencil.box(...sides, filled);
        if (showValue !== 'never' && value !== 0) {
            const middle = (across[0] + across[1]) / 2;
            const place = isHorizontal ? [along[1], count - middle] : [middle, along[1] * 1.04];
            pencil.text(
                formattedValueToString(shown),
                place,
                theme.colors.text.primary,
                isHorizontal || showValue === 'always' ? undefined : across,
                isHorizontal ? 'left' : 'center',
            );
        }
    }
}

function DrawTable({ view, width, height }) {
    const { options, theme, frames } = view;
    const table = tableOf(view);
    const { categories, series, frame } = table;
    const bars = barsOf(table, options);
    const isHorizontal = options.orientation === 'horizontal';
    const range = [
        Math.min(0, ...bars.map((bar) => bar.along[1])),
        Math.max(...bars.map((bar) => bar.along[1]), Number.MIN_VALUE) * ROOM_ABOVE,
    ];
    const middles = categories.map((_, at) => at + 0.5);
    const across = {
        range: [0, categories.length],
        splits: isHorizontal ? middles.map((middle) => categories.length - middle) : middles,
        labels: categories,
        size: isHorizontal ? Math.min(260, 16 + 7 * Math.max(...categories.map((text) => text.length))) : undefined,
        grid: false,
    };
    const along = { range, formatValue: (value, decimals) => formattedValueToString(series[0].display(value, decimals)) };
    const [x, y] = isHorizontal ? [along, across] : [across, along];
    const draw = (pencil) =>
        drawBars(pencil, bars, { isHorizontal, theme, showValue: options.showValue ?? 'auto', count: categories.length });
    const items = series.map((field) => ({
        label: getFieldDisplayName(field, frame, frames),
        color: getFieldSeriesColor(field, theme).color,
    }));
    return (
        <WithLegend view={view} items={items} width={width} height={height}>
            {(innerWidth, innerHeight) => <Plot width={innerWidth} height={innerHeight} x={x} y={y} draw={draw} theme={theme} />}
        </WithLegend>
    );
}

function binsOf({ frames, options, theme }) {
    const { bucketSize, bucketCount, bucketOffset, combine } = options;
    const made = frames.length > 0 && buildHistogram(frames, { bucketSize, bucketCount, bucketOffset, combine });
    return made ? histogramFieldsToFrame(made, theme) : undefined;
}

function countBins(view) {
    return (
        binsOf(view)
            ?.fields.slice(2)
            .filter((field) => field.values.some((value) => value > 0)).length ?? 0
    );
}

function DrawBins({ view, width, height }) {
    const { theme, frames } = view;
    const frame = binsOf(view);
    const [low, high, ...series] = frame.fields;
    const inputs = frames.flatMap((one) =>
        one.fields.filter(isShown).map((field) => ({ field, name: getFieldDisplayName(field, one, frames) })),
    );
    const looks = series.map((field, index) => ({
        label: inputs[index]?.name ?? field.name,
        color: getFieldSeriesColor(inputs[index]?.field ?? field, theme).color,
    }));
    const most = Math.max(...series.flatMap((field) => field.values));
    const format = (value, decimals) => formattedValueToString(inputs[0].field.display(value, decimals));
    const x = { range: [low.values[0], high.values.at(-1)], formatValue: format, grid: false };
    const y = { range: [0, most * ROOM_ABOVE] };
    const opacity = view.fieldConfig.defaults.custom.fillOpacity;
    const draw = (pencil) =>
        series.forEach((field, index) =>
            field.values.forEach((count, at) => {
                const filled = `color-mix(in srgb, ${looks[index].color} ${opacity}%, transparent)`;
                pencil.box([low.values[at], high.values[at]], [0, count], filled, 0.5);
            }),
        );
    return (
        <WithLegend view={view} items={looks} width={width} height={height}>
            {(innerWidth, innerHeight) => <Plot width={innerWidth} height={innerHeight} x={x} y={y} draw={draw} theme={theme} />}
        </WithLegend>
    );
}

export const barChart = { fieldDefaults, count: countTable, Draw: DrawTable };
export const histogram = { fieldDefaults, count: countBins, Draw: DrawBins };
