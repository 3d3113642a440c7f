import { randomUUID } from "node:crypto";
import type { Delta } from "./generated/wrtn/sessions/v1/recorder.js";

/** How long pieces gather before they are shown, in milliseconds: the service takes 100 a second. */
const PAUSE = 20;
/** Code points in a piece; the service takes 16 KiB. */
const PIECE = /.{1,4096}/gsu;

/** An answer that is being written. What is written is shown to those who watch, and stored nowhere. */
export class Answer {
  /** The id of the history that replaces the pieces: `send` it with this one. */
  readonly id = randomUUID();
  private waiting = "";
  private position = 0;
  private timer?: NodeJS.Timeout;

  constructor(private readonly show: (delta: Delta) => void) {}

  /** Shows what comes next. Watchers may miss a piece, never the history. */
  write(text: string): void {
    this.waiting += text;
    this.timer ??= setTimeout(() => this.flush(), PAUSE).unref();
  }

  private flush(): void {
    this.timer = undefined;
    for (const text of this.waiting.match(PIECE) ?? []) {
      this.show({ historyId: this.id, position: this.position, text });
      this.position += text.length;
    }
    this.waiting = "";
  }
}
