// Text in Markdown or HTML, with Grafana's own renderer.
import { renderTextPanelMarkdown, textUtil } from '@grafana/data';

function Draw({ view, height }) {
    const content = view.replace(view.options.content ?? '');
    const html = view.options.mode === 'html' ? textUtil.sanitizeTextPanelContent(content) : renderTextPanelMarkdown(content);
    return <div className="markdown markdown-html" style={{ height }} dangerouslySetInnerHTML={{ __html: html }} />;
}

export const text = { withoutData: true, Draw };
