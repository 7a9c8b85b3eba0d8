// Makes Grafana's data frames of Prometheus's answers, as Grafana's own data source does. Formats and transforms nothing.
import { FieldType } from '@grafana/data';

const SPECIAL = { NaN: NaN, '+Inf': Infinity, '-Inf': -Infinity, Inf: Infinity };
const number = (text) => SPECIAL[text] ?? Number(text);
const seconds = (time) => Math.round(Number(time) * 1000);

/** The labels as Prometheus writes a series: `up{job="x"}`. */
function seriesText({ __name__: name = '', ...labels }) {
    const pairs = Object.keys(labels)
        .sort()
        .map((label) => `${label}="${labels[label]}"`);
    return `${name}{${pairs.join(', ')}}`;
}

function legend(target, labels) {
    const format = target.legendFormat ?? '';
    if (format === '__auto') {
        return Object.keys(labels).length > 0 ? undefined : target.expr;
    }
    return format.replace(/\{\{\s*(.+?)\s*\}\}/g, (_, label) => labels[label] ?? '') || seriesText(labels);
}

const samplesOf = (series) => series.values ?? (series.value ? [series.value] : []);

function timeField(values, step) {
    return { name: 'Time', type: FieldType.time, config: { interval: step * 1000 }, values };
}

function seriesFrame(target, series, answer, step) {
    const samples = samplesOf(series);
    const value = {
        name: 'Value',
        type: FieldType.number,
        labels: series.metric,
        config: { displayNameFromDS: legend(target, series.metric) },
        values: samples.map(([, sample]) => number(sample)),
    };
    const meta = { type: answer.resultType === 'matrix' ? 'timeseries-multi' : 'numeric-multi' };
    const times = samples.map(([time]) => seconds(time));
    return {
        refId: target.refId,
        name: legend(target, series.metric),
        meta,
        length: times.length,
        fields: [timeField(times, step), value],
    };
}

function tableFrame(target, answer, step, valueName) {
    const labels = [...new Set(answer.result.flatMap((series) => Object.keys(series.metric)))].sort();
    const rows = answer.result.flatMap((series) =>
        samplesOf(series).map(([time, value]) => ({ time, value, metric: series.metric })),
    );
    rows.sort((one, other) => one.time - other.time);
    const fields = [
        timeField(
            rows.map((row) => seconds(row.time)),
            step,
        ),
        ...labels.map((name) => ({
            name,
            type: FieldType.string,
            config: { filterable: true },
            values: rows.map((row) => row.metric[name] ?? ''),
        })),
        { name: valueName, type: FieldType.number, config: {}, values: rows.map((row) => number(row.value)) },
    ];
    return { refId: target.refId, meta: { preferredVisualisationType: 'table' }, length: rows.length, fields };
}

// Buckets are cumulative in Prometheus: what a bucket holds alone is the difference to the next smaller one.
function bucketFrames(target, answer, step) {
    const series = [...answer.result].sort((one, other) => number(one.metric.le) - number(other.metric.le));
    const frames = series.map((one) => seriesFrame(target, one, answer, step));
    const counts = frames.map(
        (frame) => new Map(frame.fields[0].values.map((time, index) => [time, frame.fields[1].values[index]])),
    );
    return frames.map((frame, index) => {
        const [time, value] = frame.fields;
        const below = counts[index - 1];
        const values = value.values.map((count, at) => Math.max(0, count - (below?.get(time.values[at]) ?? 0)));
        return { ...frame, name: series[index].metric.le, fields: [time, { ...value, name: series[index].metric.le, values }] };
    });
}

// Native histograms: a row for each bucket of each sample, with the bucket's bounds.
function nativeFrame(target, answer) {
    const cells = answer.result.flatMap((series) =>
        (series.histograms ?? [series.histogram]).flatMap(([time, { buckets = [] }]) =>
            buckets.map(([, low, high, count]) => ({
                time: seconds(time),
                low: number(low),
                high: number(high),
                count: number(count),
            })),
        ),
    );
    const column = (name, type) => ({ name, type, config: {}, values: cells.map((cell) => cell[name]) });
    const fields = [
        column('time', FieldType.time),
        column('low', FieldType.number),
        column('high', FieldType.number),
        column('count', FieldType.number),
    ];
    return { refId: target.refId, meta: { type: 'heatmap-cells' }, length: cells.length, fields };
}

function targetFrames(target, answer, step, tables) {
    const withHistograms = answer.result.filter((series) => series.histograms ?? series.histogram);
    if (withHistograms.length > 0) {
        return [nativeFrame(target, { ...answer, result: withHistograms })];
    }
    if (answer.result.length === 0) {
        return [];
    }
    if (target.format === 'table') {
        return [tableFrame(target, answer, step, tables > 1 ? `Value #${target.refId}` : 'Value')];
    }
    if (target.format === 'heatmap') {
        return bucketFrames(target, answer, step);
    }
    return answer.result.map((series) => seriesFrame(target, series, answer, step));
}

/** The frames of all targets of a panel, in the order of its targets. */
export function framesOf(panel, answers, step) {
    const targets = (panel.targets ?? []).filter((target) => !target.hide);
    // The letter of a query stands in its column's name where several queries have rows.
    const tables = targets.filter((target) => target.format === 'table' && answers?.[target.refId]?.result.length > 0).length;
    return targets.flatMap((target) => {
        const answer = answers?.[target.refId];
        if (!answer) {
            throw new Error(`target ${target.refId} has no answer in the input`);
        }
        return targetFrames(target, answer, step, tables);
    });
}
