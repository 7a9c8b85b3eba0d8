// Puts the values of variables where a title, a legend or a text names them, as Grafana does outside queries.
const NAMES = /\$\{(\w+)(?:\.([\w.]+))?(?::\w+)?\}|\$(\w+)|\[\[(\w+)\]\]/g;

/** The value of a variable as its box in the dashboard's head shows it. */
export function shown(variable, value) {
    const values = [value].flat();
    const all = values.some((one) => one === '$__all' || (variable?.includeAll && one === (variable.allValue ?? '.*')));
    return all ? 'All' : values.join(' + ');
}

// `${__field.labels.task_id}` in a display name: the field is what Grafana passes in the scope.
function ofField(path, scope) {
    const field = scope?.__dataContext?.value?.field ?? scope?.__field?.value;
    const [what, label] = (path ?? '').split('.');
    if (what === 'labels') {
        return field?.labels?.[label] ?? '';
    }
    return field?.name;
}

/** A function that replaces the variables in a text; unknown ones stay as they are. */
export function replacer(dashboard, values) {
    const variables = new Map((dashboard.templating?.list ?? []).map((variable) => [variable.name, variable]));
    return (text, scope) =>
        text?.replace(NAMES, (whole, braced, path, plain, bracketed) => {
            const name = braced ?? plain ?? bracketed;
            if (name === '__field') {
                return ofField(path, scope) ?? whole;
            }
            return name in values ? shown(variables.get(name), values[name]) : whole;
        });
}
