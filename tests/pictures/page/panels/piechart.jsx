// Shares of a whole, as a pie or a ring.
import { formattedValueToString } from '@grafana/data';

import { WithLegend } from './legend.jsx';
import { count, valuesOf } from './stat.jsx';

const fieldDefaults = { color: { mode: 'palette-classic' } };
const HOLE = 0.6;

function point(radius, turn) {
    const angle = 2 * Math.PI * turn - Math.PI / 2;
    return `${radius * Math.cos(angle)} ${radius * Math.sin(angle)}`;
}

// A whole circle is no arc: it would end where it begins.
function slice(radius, inner, from, to) {
    const end = Math.min(to, from + 0.9999);
    const large = end - from > 0.5 ? 1 : 0;
    const back = inner > 0 ? `L ${point(inner, end)} A ${inner} ${inner} 0 ${large} 0 ${point(inner, from)}` : 'L 0 0';
    return `M ${point(radius, from)} A ${radius} ${radius} 0 ${large} 1 ${point(radius, end)} ${back} Z`;
}

function slices(view) {
    const values = valuesOf(view)
        .map(({ display }) => display)
        .filter(({ numeric }) => numeric > 0);
    const total = values.reduce((sum, { numeric }) => sum + numeric, 0);
    let end = 0;
    return values
        .sort((one, other) => other.numeric - one.numeric)
        .map((display) => {
            const from = end;
            end += display.numeric / total;
            return { display, from, to: end, percent: `${((100 * display.numeric) / total).toFixed(0)}%` };
        });
}

const WORDS = {
    name: ({ display }) => display.title,
    value: ({ display }) => formattedValueToString(display),
    percent: ({ percent }) => percent,
};

function legendItems(view, parts) {
    const shown = view.options.legend?.values ?? [];
    const value = (part, what) => ({
        title: what === 'percent' ? 'Percent' : 'Value',
        text: WORDS[what](part),
        numeric: part.display.numeric,
    });
    return parts.map((part) => ({
        label: part.display.title,
        color: part.display.color,
        getDisplayValues: () => shown.map((what) => value(part, what)),
    }));
}

function Slice({ part, radius, inner, labels, background }) {
    const [x, y] = point((radius + inner) / 2 || radius * 0.6, (part.from + part.to) / 2).split(' ');
    return (
        <g>
            <path d={slice(radius, inner, part.from, part.to)} fill={part.display.color} stroke={background} strokeWidth="2" />
            {part.to - part.from > 0.04 &&
                labels.map((what, line) => (
                    <text
                        key={what}
                        x={x}
                        y={Number(y) + 14 * (line - (labels.length - 1) / 2)}
                        textAnchor="middle"
                        dominantBaseline="middle"
                        fontSize="12"
                        fill="white"
                    >
                        {WORDS[what](part)}
                    </text>
                ))}
        </g>
    );
}

function Draw({ view, width, height }) {
    const parts = slices(view);
    const labels = view.options.displayLabels ?? [];
    return (
        <WithLegend view={view} items={legendItems(view, parts)} width={width} height={height}>
            {(innerWidth, innerHeight) => {
                const radius = Math.max(10, Math.min(innerWidth, innerHeight) / 2 - 6);
                const inner = view.options.pieType === 'donut' ? radius * HOLE : 0;
                return (
                    <svg
                        width={innerWidth}
                        height={innerHeight}
                        viewBox={`${-innerWidth / 2} ${-innerHeight / 2} ${innerWidth} ${innerHeight}`}
                    >
                        {parts.map((part) => (
                            <Slice
                                key={part.from}
                                part={part}
                                radius={radius}
                                inner={inner}
                                labels={labels}
                                background={view.theme.colors.background.primary}
                            />
                        ))}
                    </svg>
                );
            }}
        </WithLegend>
    );
}

export const pieChart = { fieldDefaults, count, Draw };
