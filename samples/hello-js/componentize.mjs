// node componentize.mjs SOURCE.js WIT-DIRECTORY OUT.wasm
import { writeFile } from "node:fs/promises";
import { componentize } from "@bytecodealliance/componentize-js";

const [sourcePath, witPath, out] = process.argv.slice(2);
const { component } = await componentize({ sourcePath, witPath, worldName: "wasi:http/proxy" });
await writeFile(out, component);
