// Which drawing belongs to which type of panel. A drawing says how many series it has of a view (`count`) and draws it (`Draw`).
import { heatmap } from './heatmap.jsx';
import { barGauge, stat } from './stat.jsx';
import { table } from './table.jsx';
import { text } from './text.jsx';
import { stateTimeline } from './timeline.jsx';
import { timeSeries } from './timeseries.jsx';

const DRAWINGS = {
    bargauge: barGauge,
    heatmap,
    'state-timeline': stateTimeline,
    stat,
    table,
    text,
    timeseries: timeSeries,
};

/** The drawing of a panel's type; throws where there is none. */
export function drawingOf(panel) {
    if (panel.repeat) {
        throw new Error(`repeats for each value of ${panel.repeat}, which this program cannot draw`);
    }
    const drawing = DRAWINGS[panel.type];
    if (!drawing) {
        throw new Error(`type ${panel.type} cannot be drawn: only ${Object.keys(DRAWINGS).join(', ')}`);
    }
    return drawing;
}
