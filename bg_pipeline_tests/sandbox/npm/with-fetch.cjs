// As remove.bg's page shows for the fetch that is part of Node.
const fs = require("fs");

const [url, picture, result] = process.argv.slice(2);
const form = new FormData();
form.append("size", "auto");
form.append("image_file", new Blob([fs.readFileSync(picture)]), "a.png");
fetch(url, { method: "POST", headers: { "X-Api-Key": "any" }, body: form })
  .then((answer) => answer.arrayBuffer())
  .then((bytes) => fs.writeFileSync(result, Buffer.from(bytes)));
