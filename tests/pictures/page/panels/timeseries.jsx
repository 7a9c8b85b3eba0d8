// Lines, bars and points over time, drawn by Grafana's own graph; annotations are added to it as it does.
import { FieldType } from '@grafana/data';
import { TimeSeries } from '@grafana/ui';

const DASH = [3, 3];
const MARKER = 5;

const fieldDefaults = {
    color: { mode: 'palette-classic' },
    custom: {
        drawStyle: 'line',
        lineInterpolation: 'linear',
        lineWidth: 1,
        fillOpacity: 0,
        gradientMode: 'none',
        showPoints: 'auto',
        pointSize: 5,
        spanNulls: false,
        axisPlacement: 'auto',
        axisBorderShow: false,
        barAlignment: 0,
        barWidthFactor: 0.6,
        stacking: { mode: 'none', group: 'A' },
        thresholdsStyle: { mode: 'off' },
        scaleDistribution: { type: 'linear' },
        hideFrom: { legend: false, tooltip: false, viz: false },
    },
};

const finite = (values) => values.map((value) => (Number.isFinite(value) ? value : null));

// A graph cannot show what is not a number; Grafana leaves it out as well.
function graphable(frames) {
    return frames
        .filter((frame) => frame.fields.some((field) => field.type === FieldType.time) && frame.length > 0)
        .map((frame) => ({
            ...frame,
            fields: frame.fields.map((field) =>
                field.type === FieldType.number ? { ...field, values: finite(field.values) } : field,
            ),
        }));
}

function count({ frames }) {
    const fields = graphable(frames).flatMap((frame) => frame.fields.filter((field) => field.type === FieldType.number));
    return fields.filter((field) => field.values.some((value) => value !== null)).length;
}

function drawAnnotation(plot, at, color) {
    const { ctx, bbox } = plot;
    const x = Math.round(plot.valToPos(at, 'x', true));
    const bottom = bbox.top + bbox.height;
    ctx.beginPath();
    ctx.setLineDash(DASH);
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bottom);
    ctx.stroke();
    ctx.beginPath();
    ctx.moveTo(x - MARKER, bottom + MARKER);
    ctx.lineTo(x + MARKER, bottom + MARKER);
    ctx.lineTo(x, bottom);
    ctx.fillStyle = color;
    ctx.fill();
}

/** A hook of the graph that draws the annotations within its time range. */
export function annotationHook({ annotations, timeRange, theme }) {
    return (plot) => {
        plot.ctx.save();
        for (const annotation of annotations) {
            const color = theme.visualization.getColorByName(annotation.color);
            plot.ctx.strokeStyle = color;
            annotation.times
                .map((time) => time * 1000)
                .filter((time) => time >= timeRange.from.valueOf() && time <= timeRange.to.valueOf())
                .forEach((time) => drawAnnotation(plot, time, color));
        }
        plot.ctx.restore();
    };
}

function Draw({ view, width, height }) {
    const { options, timeRange } = view;
    const legend = { showLegend: true, displayMode: 'list', placement: 'bottom', calcs: [], ...options.legend };
    return (
        <TimeSeries
            frames={graphable(view.frames)}
            timeRange={timeRange}
            timeZone={['utc']}
            width={width}
            height={height}
            legend={legend}
            options={options}
        >
            {(config) => {
                config.addHook('draw', annotationHook(view));
                return null;
            }}
        </TimeSeries>
    );
}

export const timeSeries = { fieldDefaults, count, Draw };
