// Lists that Grafana fills from its own stores, which no evaluated board has: a place holder, and the annotations of the board.
import { dateTimeFormat } from '@grafana/data';

function DrawAlerts({ width, height }) {
    return (
        <div className="nothing" style={{ width, height }}>
            Alerts of this Grafana
        </div>
    );
}

function DrawAnnotations({ view }) {
    const times = view.annotations.flatMap(({ name, times }) => times.map((time) => ({ name, time })));
    times.sort((one, other) => other.time - one.time);
    return (
        <ul className="list">
            {times.slice(0, view.options.limit ?? 10).map(({ name, time }) => (
                <li key={`${name} ${time}`}>
                    {name} <small>{dateTimeFormat(time * 1000, { timeZone: 'utc' })}</small>
                </li>
            ))}
        </ul>
    );
}

export const alertList = { withoutData: true, Draw: DrawAlerts };
export const annotationList = { withoutData: true, Draw: DrawAnnotations };
