// A graph whose axes are Grafana's and whose inside the panel draws: for the types that Grafana's library does not have.
import { UPlotChart, UPlotConfigBuilder } from '@grafana/ui';
import { useState } from 'react';

const HORIZONTAL = { orientation: 0, direction: 1 };
const VERTICAL = { orientation: 1, direction: 1 };

// An axis is a range of numbers or of times, with ticks of its own where `splits` are given.
function addAxis(builder, scaleKey, axis, placement, theme) {
    const { range, isTime = false, splits, labels, formatValue, size, show = true, grid = true } = axis;
    builder.addScale({ scaleKey, isTime, range: () => range, ...(scaleKey === 'x' ? HORIZONTAL : VERTICAL) });
    builder.addAxis({
        scaleKey,
        isTime,
        placement,
        theme,
        show,
        size,
        formatValue,
        timeZone: 'utc',
        grid: { show: grid },
        splits: splits && (() => splits),
        values: labels && (() => labels),
        filter: splits && ((_, values) => values),
    });
}

function configuration({ x, y, draw, theme }) {
    const builder = new UPlotConfigBuilder('utc');
    addAxis(builder, 'x', x, 'bottom', theme);
    addAxis(builder, 'y', y, 'left', theme);
    builder.addSeries({
        scaleKey: 'y',
        theme,
        pathBuilder: () => null,
        pointsBuilder: () => undefined,
        show: true,
        drawStyle: 'line',
        lineColor: 'transparent',
    });
    builder.addHook('draw', (plot) => {
        plot.ctx.save();
        plot.ctx.beginPath();
        plot.ctx.rect(plot.bbox.left, plot.bbox.top, plot.bbox.width, plot.bbox.height);
        plot.ctx.clip();
        draw(pencil(plot));
        plot.ctx.restore();
    });
    return builder;
}

/** Draws in the units of the axes. */
function pencil(plot) {
    const { ctx } = plot;
    const across = (value) => plot.valToPos(value, 'x', true);
    const up = (value) => plot.valToPos(value, 'y', true);
    return {
        /** A filled rectangle; `gap` pixels are left free around it. */
        box([left, right], [low, high], color, gap = 0) {
            ctx.fillStyle = color;
            const x = Math.min(across(left), across(right)) + gap;
            const y = Math.min(up(low), up(high)) + gap;
            const width = Math.max(1, Math.abs(across(right) - across(left)) - 2 * gap);
            ctx.fillRect(x, y, width, Math.max(1, Math.abs(up(low) - up(high)) - 2 * gap));
        },
        /** Text around a point, unless it is wider than the room between two places of the x axis. */
        text(words, [x, y], color, room, align = 'center') {
            ctx.font = '12px Inter';
            if (room && ctx.measureText(words).width + 6 > Math.abs(across(room[1]) - across(room[0]))) {
                return;
            }
            ctx.fillStyle = color;
            ctx.textAlign = align;
            ctx.textBaseline = 'middle';
            ctx.fillText(words, across(x) + (align === 'left' ? 4 : 0), up(y));
        },
    };
}

/** The graph; `draw(pencil)` fills it. */
export function Plot({ width, height, ...rest }) {
    const [config] = useState(() => configuration(rest));
    return <UPlotChart config={config} data={[rest.x.range, rest.y.range]} width={width} height={height} />;
}
