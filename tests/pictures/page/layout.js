// Where panels stand: Grafana's grid of 24 columns and units of 30 pixels. Draws nothing.
const COLUMNS = 24;
const UNIT = 30;
const GAP = 8;
const MARGIN = 16;

/** A panel's place in pixels from the grid's corner, for a picture of that width. */
export function place({ x, y, w, h }, width) {
    const column = (width - 2 * MARGIN - GAP * (COLUMNS - 1)) / COLUMNS;
    return {
        left: Math.round(MARGIN + x * (column + GAP)),
        top: y * (UNIT + GAP),
        width: Math.round(w * (column + GAP) - GAP),
        height: h * (UNIT + GAP) - GAP,
    };
}

/** The height of the whole grid in pixels. */
export function gridHeight(panels) {
    const bottom = Math.max(0, ...panels.map(({ gridPos }) => gridPos.y + gridPos.h));
    return bottom * (UNIT + GAP) + MARGIN - GAP;
}
