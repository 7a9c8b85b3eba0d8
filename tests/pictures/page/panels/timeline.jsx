// States over time, as bars that last until the state changes.
import { FieldType, formattedValueToString, getFieldDisplayName } from '@grafana/data';

import { Plot } from '../plot.jsx';
import { meaningOfColours, WithLegend } from './legend.jsx';

const fieldDefaults = { color: { mode: 'continuous-GrYlRd' }, custom: { lineWidth: 0, fillOpacity: 70 } };

/** A row for each field that is not a time: its name, its field and its samples. */
function rowsOf({ frames }) {
    return frames.flatMap((frame) => {
        const time = frame.fields.find((field) => field.type === FieldType.time);
        const fields = time ? frame.fields.filter((field) => field !== time && !field.config.custom?.hideFrom?.viz) : [];
        return fields.map((field) => ({
            name: getFieldDisplayName(field, frame, frames),
            field,
            samples: time.values
                .map((at, index) => ({ at, value: field.values[index] }))
                .filter(({ value }) => value !== null && value !== undefined),
        }));
    });
}

const count = (view) => rowsOf(view).filter((row) => row.samples.length > 0).length;

// A sample holds for a step: after a longer pause there was no state.
function spans(samples, step, merge) {
    const made = [];
    for (const { at, value } of samples) {
        const last = made.at(-1);
        if (merge && last && last.value === value && at - last.to <= step / 2) {
            last.to = at + step;
        } else {
            made.push({ from: at, to: at + step, value });
        }
    }
    return made;
}

function drawRow(pencil, { field, samples }, level, look) {
    const { step, merge, half, showValue, opacity, theme } = look;
    for (const { from, to, value } of spans(samples, step, merge)) {
        const shown = field.display(value);
        const color = shown.color ?? theme.visualization.getColorByName('gray');
        pencil.box([from, to], [level - half, level + half], theme.colors.background.primary);
        pencil.box([from, to], [level - half, level + half], withOpacity(color, opacity));
        if (showValue !== 'never') {
            const place = look.align === 'left' ? from : (from + to) / 2;
            pencil.text(
                formattedValueToString(shown),
                [place, level],
                theme.colors.text.primary,
                showValue === 'always' ? undefined : [from, to],
                look.align,
            );
        }
    }
}

function withOpacity(color, opacity) {
    return `color-mix(in srgb, ${color} ${opacity}%, transparent)`;
}

function longest(names) {
    return Math.min(260, 16 + 7 * Math.max(...names.map((name) => name.length)));
}

function Draw({ view, width, height }) {
    const rows = rowsOf(view);
    const { options, theme, timeRange, fieldConfig } = view;
    const share = options.rowHeight ?? 0.9;
    const look = {
        step: view.step * 1000,
        merge: options.mergeValues ?? true,
        half: share / 2,
        showValue: options.showValue ?? 'auto',
        align: options.alignValue ?? 'left',
        opacity: fieldConfig.defaults.custom.fillOpacity,
        theme,
    };
    const levels = rows.map((_, index) => rows.length - index - 0.5);
    const names = rows.map((row) => row.name);
    const x = { range: [timeRange.from.valueOf(), timeRange.to.valueOf()], isTime: true };
    const y = { range: [0, rows.length], splits: levels, labels: names, size: longest(names), grid: false };
    const draw = (pencil) => rows.forEach((row, index) => drawRow(pencil, row, levels[index], look));
    return (
        <WithLegend view={view} items={meaningOfColours(view)} width={width} height={height}>
            {(innerWidth, innerHeight) => <Plot width={innerWidth} height={innerHeight} x={x} y={y} draw={draw} theme={theme} />}
        </WithLegend>
    );
}

export const stateTimeline = { fieldDefaults, count, Draw };
