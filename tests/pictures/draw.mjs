// Draws an evaluated dashboard: `node draw.mjs INPUT.json OUTPUT.png [--width 1600] [--report FILE.json]`.
// Owns the command line and what counts as a failure. How a panel looks is the page's matter, where data come from the caller's.
import { readFile, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';

import { bundlePage } from './bundle.mjs';
import { photograph } from './chromium.mjs';
import { blankPanels, compress } from './pixels.mjs';

const USAGE = 'usage: node draw.mjs INPUT.json OUTPUT.png [--width 1600] [--report FILE.json]';

function commandLine() {
    const { values, positionals } = parseArgs({
        allowPositionals: true,
        options: { width: { type: 'string', default: '1600' }, report: { type: 'string' } },
    });
    const width = Number(values.width);
    if (positionals.length !== 2 || !(width >= 400)) {
        throw new Error(`${USAGE}; the width is in pixels, at least 400`);
    }
    const [input, output] = positionals;
    return { input, output, width, report: values.report };
}

function describe(panel) {
    const size = panel.state === 'drawn' ? `${panel.series} series` : panel.state;
    return `panel ${panel.id} "${panel.title}" (${panel.type}): ${size}`;
}

/** What went wrong, one sentence each; nothing if the picture may be shown. */
async function mistakes(picture) {
    const failed = picture.panels.filter((panel) => panel.error).map((panel) => `${describe(panel)}: ${panel.error}`);
    const blank = (await blankPanels(picture)).map((panel) => `${describe(panel)}, but nothing can be seen`);
    return [...failed, ...blank, ...picture.errors];
}

async function main() {
    const { input, output, width, report } = commandLine();
    const board = JSON.parse(await readFile(input, 'utf8'));
    const picture = await photograph(board, await bundlePage(), width);
    for (const panel of picture.panels) {
        console.log(describe(panel));
    }
    const problems = await mistakes(picture);
    if (report) {
        await writeFile(report, `${JSON.stringify({ panels: picture.panels, problems }, null, 2)}\n`);
    }
    await writeFile(output, await compress(picture.png));
    if (problems.length > 0) {
        throw new Error(problems.join('\n'));
    }
}

main().catch((error) => {
    console.error(error.message);
    process.exitCode = 1;
});
