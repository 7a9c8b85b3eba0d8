// Puts the board on the page, and says in `window.picture` when it stands and what each panel drew.
import 'uplot/dist/uPlot.min.css';
import './style.css';

import { createTheme, ThemeContext } from '@grafana/data';
import { GlobalStyles } from '@grafana/ui';
import { flushSync } from 'react-dom';
import { createRoot } from 'react-dom/client';

import { Board } from './board.jsx';
import { initialise } from './grafana.js';
import { finish } from './report.js';

initialise();
const theme = createTheme({ colors: { mode: 'dark' } });
const root = createRoot(document.getElementById('board'));

const inTheme = (children) => (
    <ThemeContext.Provider value={theme}>
        <GlobalStyles />
        {children}
    </ThemeContext.Provider>
);

async function draw() {
    // Canvases measure their text once, so the fonts come before the panels.
    flushSync(() => root.render(inTheme(null)));
    await Promise.all(['400 12px Inter', '500 12px Inter', '400 12px "Roboto Mono"'].map((font) => document.fonts.load(font)));
    root.render(inTheme(<Board input={window.evaluatedBoard} theme={theme} width={window.innerWidth} />));
    await finish();
}

draw();
