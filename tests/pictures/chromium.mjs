// Opens the page in Chromium and photographs it. The page is served from memory and from node_modules; whatever else it asks for
// is refused and told as an error. Knows nothing of what the panels show.
import { readFile } from 'node:fs/promises';

import { chromium } from 'playwright-core';

const HERE = import.meta.dirname;
const EXECUTABLE = '/usr/bin/chromium';
// A name that no resolver knows: nothing leaves this machine even if a request were not caught.
const ORIGIN = 'http://pictures.invalid';
const ICONS = `${HERE}/node_modules/@grafana/ui/dist/public/img/icons/`;
// Grafana's own fonts, at the addresses where its style sheet expects them.
const FONTS = [
    [/^\/public\/fonts\/inter\/Inter-\w*Italic\.woff2$/, '@fontsource-variable/inter/files/inter-latin-wght-italic.woff2'],
    [/^\/public\/fonts\/inter\/Inter-\w+\.woff2$/, '@fontsource-variable/inter/files/inter-latin-wght-normal.woff2'],
    [/^\/public\/fonts\/roboto\//, '@fontsource/roboto-mono/files/roboto-mono-latin-400-normal.woff2'],
];
const FLAGS = [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--font-render-hinting=none',
];
const DRAWING_MS = 120_000;

async function answer(path, bundle) {
    if (path === '/') {
        return { contentType: 'text/html', body: await readFile(`${HERE}/page/index.html`, 'utf8') };
    }
    if (path === '/page.js') {
        return { contentType: 'text/javascript', body: bundle.script };
    }
    if (path === '/page.css') {
        return { contentType: 'text/css', body: bundle.style };
    }
    const font = FONTS.find(([address]) => address.test(path));
    if (font) {
        return { contentType: 'font/woff2', body: await readFile(`${HERE}/node_modules/${font[1]}`) };
    }
    const icon = path.match(/^\/public\/build\/img\/icons\/([a-z]+\/[a-z0-9-]+\.svg)$/);
    return icon && { contentType: 'image/svg+xml', body: await readFile(ICONS + icon[1], 'utf8') };
}

async function serve(page, bundle, errors) {
    await page.route('**/*', async (route) => {
        const url = new URL(route.request().url());
        const served = url.origin === ORIGIN && (await answer(url.pathname, bundle));
        if (served) {
            return route.fulfill(served);
        }
        errors.push(`the page asked for ${url}, which is not part of it`);
        return route.abort();
    });
}

function listen(page, errors) {
    page.on('pageerror', (error) => errors.push(`JavaScript: ${error.stack ?? error.message}`));
    page.on('console', (message) => {
        if (message.type() === 'error') {
            errors.push(`JavaScript console: ${message.text()}`);
        }
    });
}

async function drawn(page, board) {
    // "5 minutes ago" is counted from the end of the data, whenever the picture is made.
    await page.clock.setFixedTime(board.to * 1000);
    await page.addInitScript((input) => {
        window.evaluatedBoard = input;
    }, board);
    await page.goto(`${ORIGIN}/`);
    await page.waitForFunction(() => window.picture?.done, undefined, { timeout: DRAWING_MS });
    const { panels, height } = await page.evaluate(() => window.picture);
    await page.setViewportSize({ width: page.viewportSize().width, height });
    await page.evaluate(() => document.fonts.ready);
    return panels;
}

/** The picture as PNG, what the page says of each panel, and the errors met on the way. */
export async function photograph(board, bundle, width) {
    const errors = [];
    const browser = await chromium.launch({ executablePath: EXECUTABLE, args: FLAGS });
    try {
        const page = await browser.newPage({ viewport: { width, height: 1000 }, timezoneId: 'UTC', locale: 'en-US' });
        listen(page, errors);
        await serve(page, bundle, errors);
        const panels = await drawn(page, board).catch((error) => {
            throw new Error([...errors, error.message].join('\n'));
        });
        return { png: await page.screenshot({ fullPage: true }), panels, errors };
    } finally {
        await browser.close();
    }
}
