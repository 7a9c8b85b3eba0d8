// Looks at the pixels of a picture: which panels show nothing although they have data, and how to make the file small.
import sharp from 'sharp';

// Far above a grid line's difference from the background, far below that of any text or line.
const VISIBLE = 40;
const FEWEST_PIXELS = 12;
const COLOURS = 128;

function rectangle({ left, top, width, height }, image) {
    const x = Math.max(0, Math.floor(left));
    const y = Math.max(0, Math.floor(top));
    return {
        left: x,
        top: y,
        width: Math.max(1, Math.min(Math.floor(width), image.width - x)),
        height: Math.max(1, Math.min(Math.floor(height), image.height - y)),
    };
}

function mostCommon(pixels) {
    const counts = new Map();
    let best = pixels[0];
    for (const pixel of pixels) {
        counts.set(pixel, (counts.get(pixel) ?? 0) + 1);
        best = counts.get(pixel) > counts.get(best) ? pixel : best;
    }
    return best;
}

function difference(one, other) {
    return Math.max(...[0, 8, 16].map((bits) => Math.abs(((one >> bits) & 255) - ((other >> bits) & 255))));
}

async function visiblePixels(image, area) {
    const { data } = await image.clone().extract(area).ensureAlpha().raw().toBuffer({ resolveWithObject: true });
    const pixels = new Int32Array(data.buffer, data.byteOffset, data.length / 4);
    const background = mostCommon(pixels);
    return pixels.filter((pixel) => difference(pixel, background) > VISIBLE).length;
}

/** The panels that have data and show none where they should. */
export async function blankPanels({ png, panels }) {
    const image = sharp(png);
    const size = await image.metadata();
    const blank = [];
    for (const panel of panels.filter((panel) => panel.state === 'drawn' && panel.plot)) {
        if ((await visiblePixels(image, rectangle(panel.plot, size))) < FEWEST_PIXELS) {
            blank.push(panel);
        }
    }
    return blank;
}

/** The same picture with fewer colours, which makes the file about a third. */
export function compress(png) {
    return sharp(png).png({ palette: true, colours: COLOURS, quality: 90, effort: 10, dither: 0 }).toBuffer();
}
