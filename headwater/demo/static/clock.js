// Reads the bar code that the encoder burns in (headwater/demo/encoder.py): what is on the screen,
// not what a manifest claims, tells how old the picture is.

const BITS = 20;
const FPS = 25;
const SPAN = 2 ** BITS;

const canvas = document.createElement("canvas");
const pen = canvas.getContext("2d", { willReadFrequently: true });

/** Age in seconds of the frame that `video` shows now, or null when it bears no bar code. */
export function pictureAge(video, now = Date.now()) {
  if (!video.videoWidth) return null;
  canvas.width = video.videoWidth;
  canvas.height = 1;
  const line = Math.round(video.videoHeight * (1 - 13 / 540));
  pen.drawImage(video, 0, line, video.videoWidth, 1, 0, 0, canvas.width, 1);
  const pixels = pen.getImageData(0, 0, canvas.width, 1).data;
  const cell = canvas.width / (BITS + 2);
  const bright = (index) => pixels[4 * Math.floor(cell * (index + 0.5)) + 1] > 127;
  if (!bright(0) || bright(BITS + 1)) return null;
  let count = 0;
  for (let bit = 1; bit <= BITS; bit++) count = count * 2 + (bright(bit) ? 1 : 0);
  const behind = (((now / 1000) * FPS - count) % SPAN + SPAN) % SPAN;
  return (behind < SPAN / 2 ? behind : behind - SPAN) / FPS;
}
