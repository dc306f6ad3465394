// What was drawn as MNIST has it: 28 × 28 numbers from 0 (black) to 1 (white), row by row.
//
// Its makers brought every digit to a box of 20 × 20, its longer side filling it, and moved the box until the centre of
// mass lay on pixel (14, 14), counted from 0 (Y. LeCun, C. Cortes, C. Burges, http://yann.lecun.com/exdb/mnist). The
// lines here are as wide as those of MNIST on average, however large one draws; a pixel is as bright as much of it the
// line covers.

export const SIDE = 28;
const BOX = 20, CENTRE = 14, PEN = 1.2; // PEN: half a line's width, in pixels
const SMALLEST = 0.1; // of what is smaller than this share of the pad, such as a dot, no more is made

// strokes: lists of [x, y], from 0 to 1 over the pad. Nothing drawn is all black.
export function prepare(strokes) {
  const points = strokes.flat();
  if (!points.length) return new Float32Array(SIDE * SIDE);
  const [left, right] = extent(points.map(([x]) => x)), [top, bottom] = extent(points.map(([, y]) => y));
  const scale = (BOX - 2 * PEN - 1) / Math.max(right - left, bottom - top, SMALLEST);
  const placed = (right0, down0) => strokes.map((stroke) => stroke.map(([x, y]) => [
    CENTRE + right0 + (x - (left + right) / 2) * scale, CENTRE + down0 + (y - (top + bottom) / 2) * scale]));
  const [x, y] = centreOfMass(paint(placed(0, 0)));
  const room = (SIDE - BOX) / 2 - 0.5, within = (move) => Math.min(Math.max(move, -room), room); // nothing is cut off
  return paint(placed(within(CENTRE - x), within(CENTRE - y)));
}

function extent(values) {
  return [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))];
}

function centreOfMass(pixels) {
  let mass = 0, right = 0, down = 0;
  pixels.forEach((value, i) => {
    mass += value;
    right += value * (i % SIDE);
    down += value * Math.floor(i / SIDE);
  });
  return [right / mass, down / mass];
}

// Lines in pixels, whose middles are whole numbers.
function paint(lines) {
  const pixels = new Float32Array(SIDE * SIDE), reach = PEN + 0.5;
  const within = (value) => Math.min(Math.max(Math.round(value), 0), SIDE - 1);
  for (const line of lines) {
    for (let i = 0; i < Math.max(line.length - 1, 1); i++) {
      const a = line[i], b = line[i + 1] ?? a;
      for (let y = within(Math.min(a[1], b[1]) - reach); y <= within(Math.max(a[1], b[1]) + reach); y++) {
        for (let x = within(Math.min(a[0], b[0]) - reach); x <= within(Math.max(a[0], b[0]) + reach); x++) {
          const covered = Math.min(Math.max(reach - distance([x, y], a, b), 0), 1);
          pixels[y * SIDE + x] = Math.max(pixels[y * SIDE + x], covered);
        }
      }
    }
  }
  return pixels;
}

// From a point to the nearest one of the line from a to b.
function distance([x, y], a, b) {
  const [dx, dy] = [b[0] - a[0], b[1] - a[1]], length = dx * dx + dy * dy;
  const t = length ? Math.min(Math.max(((x - a[0]) * dx + (y - a[1]) * dy) / length, 0), 1) : 0;
  return Math.hypot(x - a[0] - t * dx, y - a[1] - t * dy);
}
