// Tables, drawn by Grafana's own component.
import { TableNG } from '@grafana/ui/unstable';

const fieldDefaults = {
    color: { mode: 'thresholds' },
    custom: { align: 'auto', cellOptions: { type: 'auto' }, inspect: false, footer: { reducers: [] } },
};

// Of several frames Grafana's table shows the one that is chosen, at first the first.
const shown = ({ frames, options }) => frames[options.frameIndex ?? 0];

function count(view) {
    return shown(view)?.length ?? 0;
}

function Draw({ view, width, height }) {
    const { options, fieldConfig, timeRange } = view;
    return (
        <TableNG
            data={shown(view)}
            width={width}
            height={height}
            noHeader={options.showHeader === false}
            showTypeIcons={options.showTypeIcons}
            sortBy={options.sortBy}
            initialSortBy={options.sortBy}
            cellHeight={options.cellHeight}
            frozenColumns={options.frozenColumns?.left ?? 0}
            timeRange={timeRange}
            fieldConfig={fieldConfig}
            enableVirtualization={false}
            structureRev={1}
            transparent={false}
        />
    );
}

export const table = { fieldDefaults, count, Draw, padding: 'none' };
