// As remove.bg's page shows for axios: it names no Accept header, so axios sends its own.
const axios = require("axios");
const FormData = require("form-data");
const fs = require("fs");

const [url, picture, result] = process.argv.slice(2);
const form = new FormData();
form.append("size", "auto");
form.append("image_file", fs.createReadStream(picture));
axios({
  method: "post",
  url,
  data: form,
  responseType: "arraybuffer",
  headers: { ...form.getHeaders(), "X-Api-Key": "any" },
}).then((answer) => fs.writeFileSync(result, answer.data));
