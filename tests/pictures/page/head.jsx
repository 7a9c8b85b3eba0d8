// The dashboard's head: title, links, time range, and the boxes of its variables.
import { dateTimeFormat } from '@grafana/data';

import { shown } from './variables.js';

const HIDE_LABEL = 1;
const HIDE_ALL = 2;

function Box({ label, children }) {
    return (
        <span className="head-box">
            {label && <span className="head-label">{label}</span>}
            <span className="head-value">{children}</span>
        </span>
    );
}

function Variable({ variable, value }) {
    const label = variable.hide === HIDE_LABEL ? null : variable.label || variable.name;
    return <Box label={label}>{shown(variable, value)}</Box>;
}

/** Everything above the panels. */
export function Head({ input }) {
    const { dashboard, variables } = input;
    const time = (at) => dateTimeFormat(at * 1000, { timeZone: 'utc' });
    const boxes = (dashboard.templating?.list ?? []).filter((one) => one.hide !== HIDE_ALL && one.name in variables);
    return (
        <div className="head">
            <div className="head-line">
                <span className="head-title">{dashboard.title}</span>
                <span className="head-space" />
                {(dashboard.links ?? []).map((link) => (
                    <Box key={link.title}>{link.title}</Box>
                ))}
                <Box>{`${time(input.from)} to ${time(input.to)} UTC`}</Box>
            </div>
            <div className="head-line">
                {boxes.map((one) => (
                    <Variable key={one.name} variable={one} value={variables[one.name]} />
                ))}
            </div>
        </div>
    );
}
