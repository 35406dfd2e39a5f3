/**
 * A structure drawn by hand beside a field with its SMILES: openchemlib's editor, loaded when it is first asked for. It
 * begins with what the field's figure shows, and what is drawn goes into the field and the figure.
 */

import { drawStructure } from "./structures.js";

let editor = null;

/** Only what was drawn apart from the page, within its time: reading a SMILES of somebody else's may take for ever. */
function read({ Molecule }, { state, smiles, text }, typed) {
  if (state !== "drawn" || smiles !== typed) return new Molecule(0, 0);
  return Molecule.fromSmiles(text);
}

/** Shows the editor in `place`; `figure` and `input` are the structure and the SMILES that it changes. */
export async function openEditor(place, figure, input) {
  const library = await import("../vendor/openchemlib.js");
  closeEditor(place);
  place.hidden = false;
  const sheet = document.createElement("div");
  place.append(sheet);
  editor = new library.CanvasEditor(sheet, { initialMode: "molecule" });
  editor.setMolecule(read(library, figure.dataset, input.value.trim()));
  editor.setOnChangeListener(({ type, isUserEvent }) => {
    if (type !== "molecule" || !isUserEvent) return;
    input.value = editor.getMolecule().toIsomericSmiles();
    if (input.value) drawStructure(figure, input.value);
  });
}

export function closeEditor(place) {
  editor?.destroy();
  editor = null;
  place.replaceChildren();
  place.hidden = true;
}
