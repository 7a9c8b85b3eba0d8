// Gathers what each panel drew and where, for the program that takes the picture.
const panels = new Map();

/** Says what is known of a panel; what was said before stays where it is not said again. */
export function tell(panel, facts) {
    const known = panels.get(panel.id) ?? { id: panel.id, title: panel.title ?? '', type: panel.type, state: 'drawn', series: 0 };
    panels.set(panel.id, { ...known, ...facts });
}

const nextFrame = () => new Promise((resolve) => requestAnimationFrame(resolve));

// Icons and fonts arrive after the first drawing, and canvases are drawn again when their size is known.
async function settled() {
    let before;
    let now = document.body.innerHTML;
    while (before !== now) {
        for (let frames = 0; frames < 20; frames += 1) {
            await nextFrame();
        }
        before = now;
        now = document.body.innerHTML;
    }
}

function box(element) {
    const { left, top, width, height } = element.getBoundingClientRect();
    return { left, top, width, height };
}

// A line at the least value lies on the edge of the plot, half of it outside.
function withEdges({ left, top, width, height }) {
    return { left: left - 2, top: top - 2, width: width + 4, height: height + 4 };
}

function places(panel) {
    const frame = document.querySelector(`[data-panel="${panel.id}"]`);
    if (!frame) {
        return {};
    }
    const plot = frame.querySelector('.u-over') ?? frame.querySelector('[data-drawing]');
    return { box: box(frame), plot: plot && withEdges(box(plot)) };
}

/** Waits until the page stands still, then publishes the report. */
export async function finish() {
    await settled();
    const list = [...panels.values()].map((panel) => ({ ...panel, ...places(panel) })).sort((one, other) => one.id - other.id);
    window.picture = { done: true, height: Math.ceil(document.getElementById('board').scrollHeight), panels: list };
}
