// Lays the board out and gives each panel its data. How a type of panel looks is in panels/.
import { dateTime, rangeUtil } from '@grafana/data';
import { Icon, PanelChrome } from '@grafana/ui';
import { Component, useEffect, useState } from 'react';

import { fieldConfigOf, shownFrames } from './fields.js';
import { framesOf } from './frames.js';
import { Head } from './head.jsx';
import { gridHeight, place } from './layout.js';
import { drawingOf } from './panels/index.js';
import { tell } from './report.js';
import { replacer } from './variables.js';

class Guard extends Component {
    state = { failed: false };

    static getDerivedStateFromError() {
        return { failed: true };
    }

    componentDidCatch(error) {
        tell(this.props.panel, { state: 'failed', error: error.message });
    }

    render() {
        return this.state.failed ? null : this.props.children;
    }
}

function timeRange({ from, to }) {
    const range = { from: dateTime(from * 1000), to: dateTime(to * 1000) };
    return { ...range, raw: range };
}

// A panel may ask for points further apart than the board's.
function stepOf(panel, step) {
    return Math.max(step, panel.interval ? rangeUtil.intervalToSeconds(panel.interval.replace('>', '')) : 0);
}

/** All that the drawing of one panel may know. */
async function viewOf(panel, context) {
    const { input, theme, replace } = context;
    const drawing = drawingOf(panel);
    const fieldConfig = fieldConfigOf(panel, drawing.fieldDefaults ?? {});
    const step = stepOf(panel, input.step);
    const raw = drawing.withoutData ? [] : framesOf(panel, input.panels[panel.id], step);
    const frames = await shownFrames(panel, raw, fieldConfig, theme, replace);
    const annotations = input.annotations ?? [];
    const view = {
        panel,
        fieldConfig,
        frames,
        theme,
        replace,
        annotations,
        options: panel.options ?? {},
        timeRange: timeRange(input),
        step,
    };
    return { ...view, drawing, series: drawing.withoutData ? 0 : drawing.count(view) };
}

function Nothing({ view, width, height }) {
    return (
        <div className="nothing" style={{ width, height }}>
            {view.fieldConfig.defaults.noValue ?? 'No data'}
        </div>
    );
}

function stateOf({ drawing, series }) {
    if (drawing.withoutData) {
        return 'without data';
    }
    return series > 0 ? 'drawn' : 'no data';
}

function Body({ view, width, height }) {
    const { Draw } = view.drawing;
    const isEmpty = stateOf(view) === 'no data';
    return (
        <div className="drawing" data-drawing style={{ width, height }}>
            {isEmpty ? <Nothing view={view} width={width} height={height} /> : <Draw view={view} width={width} height={height} />}
        </div>
    );
}

function Panel({ panel, context, width, height }) {
    const [view, setView] = useState();
    useEffect(() => {
        const failed = (error) => tell(panel, { state: 'failed', error: error.message });
        viewOf(panel, context).then((made) => {
            tell(panel, { title: context.replace(panel.title ?? ''), state: stateOf(made), series: made.series });
            setView(made);
        }, failed);
    }, [panel, context]);
    const chrome = {
        width,
        height,
        title: context.replace(panel.title ?? ''),
        description: panel.description,
        displayMode: panel.transparent ? 'transparent' : 'default',
    };
    return (
        <PanelChrome {...chrome} padding={view?.drawing.padding ?? 'md'}>
            {(innerWidth, innerHeight) =>
                view && (
                    <Guard panel={panel}>
                        <Body view={view} width={innerWidth} height={innerHeight} />
                    </Guard>
                )
            }
        </PanelChrome>
    );
}

function Row({ panel, replace }) {
    return (
        <div className="board-row">
            <Icon name={panel.collapsed ? 'angle-right' : 'angle-down'} />
            {replace(panel.title)}
            {panel.collapsed && <small>({panel.panels.length} panels)</small>}
        </div>
    );
}

function Cell({ panel, context, width }) {
    const at = place(panel.gridPos, width);
    return (
        <div className="cell" data-panel={panel.id} style={at}>
            {panel.type === 'row' ? (
                <Row panel={panel} replace={context.replace} />
            ) : (
                <Panel panel={panel} context={context} width={at.width} height={at.height} />
            )}
        </div>
    );
}

/** The whole dashboard. */
export function Board({ input, theme, width }) {
    const [context] = useState(() => ({ input, theme, replace: replacer(input.dashboard, input.variables) }));
    const { panels } = input.dashboard;
    return (
        <>
            <Head input={input} />
            <div className="grid" style={{ height: gridHeight(panels) }}>
                {panels.map((panel) => (
                    <Cell key={panel.id ?? panel.title} panel={panel} context={context} width={width} />
                ))}
            </div>
        </>
    );
}
