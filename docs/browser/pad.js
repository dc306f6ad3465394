// A square to draw on, by mouse, pen, finger or the keyboard. `.strokes` are lists of [x, y], from 0 to 1.

const SIZE = 280, STEP = 1 / 28;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class Pad {
  // changed(): after every change of what is drawn.
  constructor(changed) {
    this.strokes = [];
    this.changed = changed;
    this.at = [0.5, 0.5]; // of the pen that the arrow keys move
    this.down = this.keyed = false; // whether that pen writes, and whether it is shown
    this.canvas = make("canvas", {
      class: "pad", width: SIZE, height: SIZE, tabindex: 0, role: "application",
      "aria-label": "draw a digit: arrow keys move the pen, space lowers and lifts it, backspace takes back a line, delete clears",
    });
    this.pen = this.canvas.getContext("2d");
    this.listenToPointers();
    this.canvas.addEventListener("keydown", (event) => this.key(event));
    this.canvas.addEventListener("blur", () => { this.keyed = this.down = false; this.draw(); });
    this.draw();
  }

  listenToPointers() {
    let writing = null;
    const place = (event) => {
      const box = this.canvas.getBoundingClientRect();
      return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
    };
    this.canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || writing !== null) return;
      writing = event.pointerId;
      this.keyed = this.down = false;
      this.canvas.setPointerCapture(writing);
      this.strokes.push([place(event)]);
      this.update();
    });
    this.canvas.addEventListener("pointermove", (event) => {
      if (event.pointerId !== writing) return;
      const all = event.getCoalescedEvents?.() ?? [];
      this.strokes[this.strokes.length - 1].push(...(all.length ? all : [event]).map(place));
      this.update();
    });
    const end = (event) => { if (event.pointerId === writing) writing = null; };
    this.canvas.addEventListener("pointerup", end);
    this.canvas.addEventListener("pointercancel", end);
  }

  key(event) {
    const by = ARROWS[event.key];
    if (by) {
      this.at = this.at.map((value, i) => Math.min(Math.max(value + by[i] * STEP, 0), 1));
      if (this.down) this.strokes[this.strokes.length - 1].push([...this.at]);
    } else if (event.key === " ") {
      this.down = !this.down;
      if (this.down) this.strokes.push([[...this.at]]);
    } else if (event.key === "Backspace") {
      this.undo();
    } else if (event.key === "Delete") {
      this.clear();
    } else {
      return;
    }
    event.preventDefault();
    this.keyed = true;
    this.update();
  }

  undo() {
    this.strokes.pop();
    this.down = false;
    this.update();
  }

  clear() {
    this.strokes = [];
    this.down = false;
    this.update();
  }

  update() {
    this.draw();
    this.changed();
  }

  draw() {
    const pen = this.pen;
    pen.clearRect(0, 0, SIZE, SIZE);
    pen.strokeStyle = "#fff";
    pen.lineWidth = SIZE / 14;
    pen.lineCap = pen.lineJoin = "round";
    for (const stroke of this.strokes) {
      pen.beginPath();
      pen.moveTo(stroke[0][0] * SIZE, stroke[0][1] * SIZE);
      for (const [x, y] of stroke) pen.lineTo(x * SIZE, y * SIZE);
      pen.stroke();
    }
    if (!this.keyed) return;
    pen.strokeStyle = this.down ? "#f08a3c" : "#4aa8e0";
    pen.lineWidth = 3;
    pen.beginPath();
    pen.arc(this.at[0] * SIZE, this.at[1] * SIZE, 9, 0, 2 * Math.PI);
    pen.stroke();
  }
}
