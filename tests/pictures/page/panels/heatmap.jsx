// How many observations fell into which bucket when: of classic histograms (a frame for each `le`) and of native ones (cells).
import { FieldType, formattedValueToString, getValueFormat } from '@grafana/data';
import * as chromatic from 'd3-scale-chromatic';

import { Plot } from '../plot.jsx';

// On a dark board the lowest value of these schemes is the darkest colour.
const NOT_TURNED = new Set(['Turbo', 'Cividis', 'Viridis', 'Magma', 'Inferno', 'Plasma']);

function formatter({ options }) {
    const format = getValueFormat(options.yAxis?.unit ?? 'short');
    return (value) => (Number.isFinite(value) ? formattedValueToString(format(value, options.yAxis?.decimals)) : '+Inf');
}

function classicCells(frames, step) {
    return frames.flatMap((frame, row) => {
        const [time, value] = frame.fields;
        return time.values.map((at, index) => ({ from: at - step, to: at, low: row, high: row + 1, count: value.values[index] }));
    });
}

const logarithm = (value) => (value > 0 ? Math.log2(value) : -20);

function nativeCells(frame, step) {
    const [time, low, high, count] = frame.fields.map((field) => field.values);
    return time.map((at, index) => ({
        from: at - step,
        to: at,
        low: logarithm(low[index]),
        high: logarithm(high[index]),
        count: count[index],
    }));
}

const isNative = (frames) => frames[0]?.meta?.type === 'heatmap-cells';

/** The cells that count something. */
function cellsOf({ frames, step }) {
    const cells = isNative(frames)
        ? frames.flatMap((frame) => nativeCells(frame, step * 1000))
        : classicCells(frames, step * 1000);
    return cells.filter((cell) => cell.count > 0);
}

// As many as there are buckets with observations.
const count = (view) => new Set(cellsOf(view).map((cell) => cell.high)).size;

function classicAxis(view) {
    const format = formatter(view);
    const bounds = view.frames.map((frame) => frame.fields.find((field) => field.type === FieldType.number));
    const labels = bounds.map((field) => format(Number(field.name.replace('+Inf', 'Infinity'))));
    const every = Math.ceil(labels.length / 10);
    const kept = labels.map((_, index) => index).filter((index) => index % every === 0);
    return {
        range: [0, labels.length],
        splits: kept.map((index) => index + 1),
        labels: kept.map((index) => labels[index]),
        size: 70,
    };
}

function nativeAxis(view, cells) {
    const low = Math.floor(Math.min(...cells.map((cell) => cell.low)));
    const high = Math.ceil(Math.max(...cells.map((cell) => cell.high)));
    const splits = Array.from({ length: high - low + 1 }, (_, index) => low + index);
    return { range: [low, high], splits, labels: splits.map((power) => formatter(view)(2 ** power)), size: 70 };
}

/** A function from a count to its colour. */
function colours({ options, theme }, cells) {
    const { mode = 'scheme', scheme = 'Oranges', exponent = 0.5, reverse = false, fill = 'dark-orange' } = options.color ?? {};
    const counts = cells.map((cell) => cell.count);
    const least = Math.min(...counts);
    const most = Math.max(...counts);
    const share = (value) => (most === least ? 1 : (value - least) / (most - least));
    if (mode === 'opacity') {
        const color = theme.visualization.getColorByName(fill);
        return (value) =>
            `color-mix(in srgb, ${color} ${Math.round(100 * (0.1 + 0.9 * share(value) ** exponent))}%, transparent)`;
    }
    const turned = NOT_TURNED.has(scheme) === reverse;
    const interpolate = chromatic[`interpolate${scheme}`];
    return (value) => interpolate(turned ? 1 - share(value) : share(value));
}

const LEGEND = { width: 240, height: 30, pieces: 48 };

/** The scale of colours, with the least and the greatest count. */
function Scale({ counts, color, format, muted }) {
    const [least, most] = [Math.min(...counts), Math.max(...counts)];
    const piece = LEGEND.width / LEGEND.pieces;
    return (
        <svg width={LEGEND.width} height={LEGEND.height} fontSize="12" fill={muted}>
            {Array.from({ length: LEGEND.pieces }, (_, at) => (
                <rect
                    key={at}
                    x={at * piece}
                    y="4"
                    width={piece + 0.5}
                    height="8"
                    style={{ fill: color(least + ((most - least) * at) / (LEGEND.pieces - 1)) }}
                />
            ))}
            <text y="26">{format(least)}</text>
            <text x={LEGEND.width} y="26" textAnchor="end">
                {format(most)}
            </text>
        </svg>
    );
}

function Draw({ view, width, height }) {
    const cells = cellsOf(view);
    const color = colours(view, cells);
    const hasLegend = view.options.legend?.show ?? true;
    const x = { range: [view.timeRange.from.valueOf(), view.timeRange.to.valueOf()], isTime: true, grid: false };
    const y = { ...(isNative(view.frames) ? nativeAxis(view, cells) : classicAxis(view)), grid: false };
    const gap = view.options.cellGap ?? 1;
    const draw = (pencil) =>
        cells.forEach((cell) => pencil.box([cell.from, cell.to], [cell.low, cell.high], color(cell.count), gap / 2));
    const counts = cells.map((cell) => cell.count);
    const format = (value) => formattedValueToString(getValueFormat('short')(value, view.options.cellValues?.decimals));
    return (
        <>
            <Plot width={width} height={height - (hasLegend ? LEGEND.height : 0)} x={x} y={y} draw={draw} theme={view.theme} />
            {hasLegend && <Scale counts={counts} color={color} format={format} muted={view.theme.colors.text.secondary} />}
        </>
    );
}

export const heatmap = { count, Draw };
