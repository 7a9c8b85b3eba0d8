// Values on arcs between a least and a greatest value, with the thresholds around them.
import { formattedValueToString } from '@grafana/data';

import { count, Values } from './stat.jsx';

const fieldDefaults = { color: { mode: 'thresholds' } };
// The arc is two thirds of a circle, open below.
const START = -1 / 3;
const TURN = 2 / 3;

function point(radius, share) {
    const angle = 2 * Math.PI * (START + TURN * share);
    return `${radius * Math.sin(angle)} ${-radius * Math.cos(angle)}`;
}

function Arc({ radius, thickness, from, to, color }) {
    const large = TURN * (to - from) > 0.5 ? 1 : 0;
    const path = `M ${point(radius, from)} A ${radius} ${radius} 0 ${large} 1 ${point(radius, to)}`;
    return <path d={path} fill="none" stroke={color} strokeWidth={thickness} />;
}

function Thresholds({ field, share, radius, theme }) {
    const { mode, steps } = field.thresholds;
    const at = (value) => (mode === 'percentage' ? Math.min(1, Math.max(0, value / 100)) : share(value));
    return steps.map((step, index) => {
        const from = index === 0 ? 0 : at(step.value);
        const to = steps[index + 1] ? at(steps[index + 1].value) : 1;
        return (
            to > from && (
                <Arc
                    key={step.value}
                    radius={radius}
                    thickness={4}
                    from={from}
                    to={to}
                    color={theme.visualization.getColorByName(step.color)}
                />
            )
        );
    });
}

function One({ value, width, height, view }) {
    const { field, display } = value;
    const { options, theme } = view;
    const low = field.min ?? 0;
    const high = field.max ?? 100;
    const share = (number) => Math.min(1, Math.max(0, (number - low) / (high - low || 1)));
    const title = display.title ? 22 : 0;
    const radius = Math.max(10, Math.min(width / 2, (height - title) / 1.55) - 12);
    const thickness = radius * 0.28;
    return (
        <svg width={width} height={height} viewBox={`${-width / 2} ${-radius - 12} ${width} ${height}`}>
            <Arc
                radius={radius - thickness / 2 - 6}
                thickness={thickness}
                from={0}
                to={1}
                color={theme.colors.background.secondary}
            />
            {display.numeric > low && (
                <Arc
                    radius={radius - thickness / 2 - 6}
                    thickness={thickness}
                    from={0}
                    to={share(display.numeric)}
                    color={display.color}
                />
            )}
            {(options.showThresholdMarkers ?? true) && <Thresholds field={field} share={share} radius={radius} theme={theme} />}
            <text
                textAnchor="middle"
                dominantBaseline="middle"
                fontSize={Math.min(48, radius * 0.32)}
                fontWeight="500"
                fill={display.color}
            >
                {formattedValueToString(display)}
            </text>
            <text textAnchor="middle" y={radius * 0.55 + 22} fontSize="14" fill={theme.colors.text.primary}>
                {display.title}
            </text>
        </svg>
    );
}

function Draw({ view, width, height }) {
    return <Values view={view} width={width} height={height} spacing={8} one={(props) => <One {...props} view={view} />} />;
}

export const gauge = { fieldDefaults, count, Draw };
