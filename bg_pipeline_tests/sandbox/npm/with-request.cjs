// As older pages show for the package `request`.
const request = require("request");
const fs = require("fs");

const [url, picture, result] = process.argv.slice(2);
request.post(
  {
    url,
    formData: { image_file: fs.createReadStream(picture), size: "auto" },
    headers: { "X-Api-Key": "any" },
    encoding: null,
  },
  (error, answer, body) => {
    if (error || answer.statusCode !== 200) throw error || new Error(body.toString());
    fs.writeFileSync(result, body);
  },
);
