/**
 * Draws structures from SMILES, apart from the page: one at a time, and whatever a SMILES makes it do, the page goes on.
 * It takes {smiles, groupLabel, width, height, bond}, where groupLabel is the pattern of labels of groups, and gives {svg, formula, text} or {fault}, with the SMILES as it was read; the first word is {ready}.
 */

import { Molecule } from "../vendor/openchemlib.js";

const LONGEST = 4000; // characters; the model's longest answer has fewer
const LONGEST_SVG = 1_500_000;
const STAND_INS = [{ symbol: "Lr", number: 103 }, { symbol: "No", number: 102 }, { symbol: "Md", number: 101 }]; // in no drawing
const WITHOUT = { suppressChiralText: true, suppressCIPParity: true, suppressESR: true, autoCrop: true, autoCropMargin: 6 };

function draw({ smiles, groupLabel, width, height, bond }) {
  if (smiles.length > LONGEST) return { fault: "too long to be drawn" };
  const text = groupLabel ? smiles.replace(new RegExp(groupLabel, "g"), "*") : smiles;
  if (text === "" || /\s/.test(text)) return { fault: "not a molecule" }; // the library reads on from a blank as a title
  let molecule;
  try {
    molecule = read(text);
  } catch {
    return { fault: "not a molecule" };
  }
  if (molecule.getAllAtoms() === 0) return { fault: "not a molecule" };
  const svg = molecule.toSVG(width, height, "structure", { ...WITHOUT, maxAVBL: bond })
    .replace(/<style>[^<]*<\/style>/, "")
    .replace(/<\w+ [^>]*class="event"[^>]*\/>/g, "")
    .replace(/fill="[^"]*">[?*]<\/text>/g, 'fill="rgb(0,0,0)">*</text>'); // "?" is the library's word for any atom
  if (svg.length > LONGEST_SVG) return { fault: "too large to be drawn" };
  return { svg, formula: text.includes("*") ? "" : describe(molecule), text };
}

/** With stars, the library takes a molecule for a pattern to search by, and draws `O` for `OH`: an element stands in for them. */
function read(text) {
  const element = STAND_INS.find(({ symbol }) => !text.includes(symbol));
  if (!text.includes("*") || !element) return Molecule.fromSmiles(text);
  let molecule;
  try {
    molecule = Molecule.fromSmiles(text.replace(/\[(\d*)\*([^\]]*)\]|\*/g, `[$1${element.symbol}$2]`));
  } catch {
    return Molecule.fromSmiles(text); // as in an aromatic ring
  }
  for (let atom = 0; atom < molecule.getAllAtoms(); atom += 1) {
    if (molecule.getAtomicNo(atom) === element.number) molecule.setAtomCustomLabel(atom, "*");
  }
  return molecule;
}

function describe(molecule) {
  const { formula, relativeWeight } = molecule.getMolecularFormula();
  return `${formula} · ${relativeWeight.toFixed(2)} g/mol`;
}

addEventListener("message", ({ data }) => {
  let answer;
  try {
    answer = draw(data);
  } catch {
    answer = { fault: "cannot be drawn" };
  }
  postMessage(answer);
});
draw({ smiles: "C1CC2CC1C=C2", width: 100, height: 100, bond: 24 }); // what the library makes at first use is made by now
postMessage({ ready: true });
