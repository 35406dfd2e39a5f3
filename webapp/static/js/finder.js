/** The form above a long list. The server filters; here a choice takes effect at once, and addresses stay short. */

const form = document.getElementById("finder");

export function startFinder() {
  if (!form) return;
  form.addEventListener("formdata", ({ formData }) => {
    for (const [name, value] of [...formData]) if (!value.trim()) formData.delete(name);
  });
  form.addEventListener("change", (event) => { if (event.target.tagName === "SELECT") form.requestSubmit(); });
}
