// Makes one script and one style sheet of the page and of Grafana's components. Knows nothing of dashboards or of Chromium.
import { build } from 'esbuild';

const HERE = import.meta.dirname;
// Grafana's library names its code editor and its maps wherever it is loaded; no panel shows either.
const NEVER_SHOWN = /^(monaco-editor|@monaco-editor\/react|react-monaco-editor|ol)(\/|$)/;

const leaveOut = {
    name: 'leave out what no panel shows',
    setup(bundler) {
        bundler.onResolve({ filter: NEVER_SHOWN }, ({ path }) => ({ path, namespace: 'nothing' }));
        bundler.onLoad({ filter: /.*/, namespace: 'nothing' }, () => ({ contents: 'module.exports = {};' }));
    },
};

/** The page's script and style sheet, as text. */
export async function bundlePage() {
    const made = await build({
        entryPoints: [`${HERE}/page/main.jsx`],
        bundle: true,
        minify: true,
        write: false,
        outdir: HERE,
        jsx: 'automatic',
        target: 'chrome120',
        define: { 'process.env.NODE_ENV': '"production"', global: 'window' },
        loader: { '.woff2': 'dataurl', '.woff': 'empty', '.ttf': 'empty', '.svg': 'dataurl' },
        plugins: [leaveOut],
        logLevel: 'error',
    });
    const text = (ending) => made.outputFiles.find((file) => file.path.endsWith(ending)).text;
    return { script: text('.js'), style: text('.css') };
}
