// Single values: as big text with a sparkline, and as bars. Both are Grafana's own components.
import { getDisplayValueAlignmentFactors, getFieldDisplayValues, VizOrientation } from '@grafana/data';
import { BarGauge, BigValue, VizRepeater } from '@grafana/ui';

const fieldDefaults = { color: { mode: 'thresholds' } };
const REDUCE = { calcs: ['lastNotNull'], fields: '', values: false };

/** The values a panel of single values shows. */
export function valuesOf({ frames, fieldConfig, options, replace, theme }, sparkline = false) {
    return getFieldDisplayValues({
        data: frames,
        fieldConfig,
        reduceOptions: { ...REDUCE, ...options.reduceOptions },
        replaceVariables: replace,
        sparkline,
        theme,
        timeZone: 'utc',
    });
}

/** How many values there are; none where no frame has any. */
export function count(view) {
    return view.frames.some((frame) => frame.length > 0)
        ? valuesOf(view).filter((value) => value.hasLinks !== undefined || value.field).length
        : 0;
}

/** Several values side by side or one below the other, each drawn by `one`. */
export function Values({ view, width, height, sparkline, spacing, one, ...limits }) {
    const { options, frames } = view;
    return (
        <VizRepeater
            getValues={() => valuesOf(view, sparkline)}
            getAlignmentFactors={getDisplayValueAlignmentFactors}
            renderValue={one}
            width={width}
            height={height}
            source={frames}
            autoGrid
            renderCounter={0}
            itemSpacing={spacing}
            orientation={options.orientation ?? VizOrientation.Auto}
            {...limits}
        />
    );
}

function DrawStat({ view, width, height }) {
    const { options, theme } = view;
    const graphMode = options.graphMode ?? 'area';
    const look = {
        colorMode: options.colorMode ?? 'value',
        graphMode,
        justifyMode: options.justifyMode ?? 'auto',
        textMode: options.textMode ?? 'auto',
    };
    const one = ({ value, width, height, count, alignmentFactors }) => (
        <BigValue
            value={value.display}
            sparkline={value.sparkline}
            width={width}
            height={height}
            count={count}
            alignmentFactors={alignmentFactors}
            text={options.text}
            disableWideLayout={!(options.wideLayout ?? true)}
            theme={theme}
            {...look}
        />
    );
    return <Values view={view} width={width} height={height} sparkline={graphMode !== 'none'} spacing={3} one={one} />;
}

function DrawBars({ view, width, height }) {
    const { options, theme } = view;
    const one = ({ value, width, height, count, alignmentFactors, orientation }) => (
        <BarGauge
            value={value.display}
            field={value.field}
            display={value.view?.getFieldDisplayProcessor(value.colIndex)}
            width={width}
            height={height}
            orientation={orientation}
            text={options.text}
            theme={theme}
            itemSpacing={8}
            lcdCellWidth={9}
            displayMode={options.displayMode ?? 'gradient'}
            showUnfilled={options.showUnfilled ?? true}
            valueDisplayMode={options.valueMode ?? 'color'}
            namePlacement={options.namePlacement ?? 'auto'}
            alignmentFactors={count > 1 ? alignmentFactors : undefined}
        />
    );
    const limits = {
        minVizWidth: options.minVizWidth ?? 8,
        minVizHeight: options.minVizHeight ?? 16,
        maxVizHeight: options.maxVizHeight ?? 300,
    };
    return <Values view={view} width={width} height={height} spacing={10} one={one} {...limits} />;
}

export const stat = { fieldDefaults, count, Draw: DrawStat, padding: 'md' };
export const barGauge = { fieldDefaults, count, Draw: DrawBars };
