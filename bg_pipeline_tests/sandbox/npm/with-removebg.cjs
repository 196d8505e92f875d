// As the package `remove.bg` shows; its URL is in its own code.
const { removeBackgroundFromImageBase64, removeBackgroundFromImageFile } = require("remove.bg");
const fs = require("fs");

const [, picture, result] = process.argv.slice(2);
const options = { apiKey: "any", size: "auto", outputFile: result };
const base64img = fs.readFileSync(picture, { encoding: "base64" });
removeBackgroundFromImageFile({ ...options, path: picture })
  .then((answer) => console.log(JSON.stringify(answer)))
  .then(() => removeBackgroundFromImageBase64({ ...options, base64img, outputFile: `${result}.base64.png` }))
  .catch((errors) => { console.error(JSON.stringify(errors)); process.exit(1); });
