// Says what is wrong with resources of the Prometheus operator: JSON on stdin, a list of complaints on stdout. The types made
// from the operator's Go source know every field, the validators made from it every pattern and every required field.
// It knows nothing of this project.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import * as models from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1";

const SOURCE = fileURLToPath(new URL("resource.ts", import.meta.url));
const OPTIONS = {
  noEmit: true,
  strict: true,
  skipLibCheck: true,
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  target: ts.ScriptTarget.ES2022,
  types: [],
};

// TypeScript refuses unknown fields of a literal, so each resource is written as one.
function program(resources) {
  const lines = resources.map((resource, index) => {
    const type = `models.I${resource.kind}`;
    return `export const resource${index}: ${type} = ${JSON.stringify(resource)};`;
  });
  const source = `import * as models from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1";\n${lines.join("\n")}\n`;
  const host = ts.createCompilerHost(OPTIONS);
  const { fileExists, readFile, getSourceFile } = host;
  host.fileExists = (path) => path === SOURCE || fileExists(path);
  host.readFile = (path) => (path === SOURCE ? source : readFile(path));
  host.getSourceFile = (path, version) =>
    path === SOURCE ? ts.createSourceFile(path, source, version) : getSourceFile(path, version);
  return ts.createProgram([SOURCE], OPTIONS, host);
}

function complaintsOfTypes(resources) {
  return ts
    .getPreEmitDiagnostics(program(resources))
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n"));
}

function complaintsOfValidator(resource) {
  try {
    new models[resource.kind](resource).validate();
    return [];
  } catch (error) {
    return [`${resource.kind}: ${error.message}`];
  }
}

const resources = JSON.parse(readFileSync(0, "utf8"));
const complaints = [...complaintsOfTypes(resources), ...resources.flatMap(complaintsOfValidator)];
console.log(JSON.stringify(complaints));
