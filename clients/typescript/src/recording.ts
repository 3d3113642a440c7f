import { EventEmitter } from "node:events";
import { Metadata, status, type ClientDuplexStream, type ServiceError } from "@grpc/grpc-js";
import { Answer } from "./answer.js";
import { FrameRejected, passes, RecordingEnded, TooManyPending, type EndReason } from "./errors.js";
import { frameOf, type Extras } from "./frames.js";
import {
  Control_Kind,
  type AttachRequest,
  type AttachResponse,
  type Control,
  type Opened,
  type OpenConnectionRequest,
  type RecorderServiceClient,
  type Rejection,
} from "./generated/wrtn/sessions/v1/recorder.js";
import type { IWrtnHistory, OwnHistory } from "./histories.js";
import type { Tokens } from "./tokens.js";

/** By whose right a connection opens, and what is known of its client. */
export interface Opening {
  /** The ticket from `POST /v1/chatSessions/{id}:connect`, or `procedureSessions`: single use, 60 seconds. */
  ticket: string;
  /** What the client says it is, for example its browser's name. */
  client?: string;
  /** The client's address. */
  address?: string;
}

/** The bounds of a recording; times in milliseconds. */
export interface RecordingOptions {
  /** How many frames may wait for their acknowledgement. */
  mostPending: number;
  /** How long it tries to reach the service again before it gives up. */
  patience: number;
  /** How long a stream may say nothing while frames wait, before it is taken for broken. */
  silence: number;
}

/** A history is durable. */
export interface Stored {
  id: string;
  /** Its place in the session, from 1. */
  sequence: number;
  createTime: Date;
}

interface Pending {
  request: AttachRequest;
  resolve: (stored: Stored) => void;
  reject: (error: Error) => void;
}

type Stream = ClientDuplexStream<AttachRequest, AttachResponse>;

const ENDS: Partial<Record<Control_Kind, EndReason>> = {
  [Control_Kind.KIND_SESSION_DELETED]: "session_deleted",
  [Control_Kind.KIND_RIGHT_REVOKED]: "right_revoked",
  [Control_Kind.KIND_ACCOUNT_TRANSFERRED]: "account_transferred",
};
const FIRST_PAUSE = 50;
const LONGEST_PAUSE = 2_000;

/**
 * One live connection being recorded. Frames are stored in the order in which they are sent, also over breaks: what
 * was not acknowledged is sent again on a stream that resumes the connection.
 *
 * Events: `opened` (Opened) at each stream that opens, `control` (Control), `broken` (Error) when a stream is lost
 * and will be resumed, `ended` (RecordingEnded) once, at the end.
 */
export class Recording extends EventEmitter {
  /** The session and its model, as the service told at the opening. */
  session?: Opened;
  private readonly pending = new Map<string, Pending>();
  private stream?: Stream;
  private live = false;
  private end?: RecordingEnded;
  private closing = false;
  private pause = FIRST_PAUSE;
  private lastSign = Date.now();
  /** Since when nothing gets through; unset while all is well. */
  private brokenSince?: number;
  private timer?: NodeJS.Timeout;
  private freshToken = false;
  private halfClosed = false;

  constructor(
    private readonly client: RecorderServiceClient,
    private readonly tokens: Tokens,
    private readonly options: RecordingOptions,
    private readonly opening: Opening,
  ) {
    super();
    void this.connect();
  }

  /** Resolves when the connection is open; rejects with RecordingEnded if it is refused. */
  async opened(): Promise<Opened> {
    if (this.end) throw this.end;
    if (this.session) return this.session;
    return new Promise((resolve, reject) => {
      this.once("opened", resolve);
      this.once("ended", reject);
    });
  }

  /**
   * Sends a history; resolves when it is durable. Rejects with FrameRejected if the service refuses it, RecordingEnded
   * if the recording ends before, TooManyPending if the service falls too far behind.
   */
  send(history: IWrtnHistory | OwnHistory, extras: Extras = {}): Promise<Stored> {
    if (this.end) return Promise.reject(this.end);
    if (this.closing) return Promise.reject(new RecordingEnded("closed", "the recording is closing"));
    if (this.pending.size >= this.options.mostPending) {
      return Promise.reject(new TooManyPending(this.options.mostPending));
    }
    const frame = frameOf(history, extras);
    const request: AttachRequest = { frame };
    return new Promise((resolve, reject) => {
      if (this.pending.size === 0) this.lastSign = Date.now();
      this.pending.set(frame.id, { request, resolve, reject });
      if (this.live) this.stream?.write(request);
      this.watch();
    });
  }

  /** Begins an answer whose pieces are shown to those who watch, until the history with its id replaces them. */
  answer(): Answer {
    return new Answer((delta) => void (this.live && !this.closing && this.stream?.write({ delta })));
  }

  /** Waits for the acknowledgements that are due and ends the connection. */
  async close(): Promise<void> {
    if (this.end) return;
    const ended = new Promise<void>((resolve) => this.once("ended", () => resolve()));
    this.closing = true;
    this.finishIfIdle();
    await ended;
  }

  private async connect(): Promise<void> {
    try {
      const metadata = new Metadata();
      metadata.set("authorization", `Bearer ${await this.tokens(this.freshToken)}`);
      if (this.end) return;
      const stream = this.client.attach(metadata);
      this.halfClosed = false;
      this.stream = stream;
      stream.on("data", (response: AttachResponse) => this.stream === stream && this.take(response));
      stream.on("error", (error: ServiceError) => this.stream === stream && this.lost(error));
      stream.on("end", () => this.stream === stream && this.lost());
      stream.write({ open: this.open() });
    } catch (error) {
      this.retry(error as Error);
    }
  }

  private open(): OpenConnectionRequest {
    const { client = "", address = "", ticket } = this.opening;
    const authority = this.session ? { resumedConnectionId: this.session.connectionId } : { ticket };
    return { ...authority, client, address };
  }

  private take(response: AttachResponse): void {
    this.lastSign = Date.now();
    this.pause = FIRST_PAUSE;
    if (response.opened) this.begin(response.opened);
    else if (response.ack) {
      const { historyId, sequence, createTime } = response.ack;
      this.brokenSince = undefined;
      this.settle(historyId)?.resolve({ id: historyId, sequence, createTime: createTime ?? new Date() });
    } else if (response.rejection) this.reject(response.rejection);
    else if (response.control) this.control(response.control);
    this.finishIfIdle();
  }

  private begin(opened: Opened): void {
    this.session = opened;
    this.live = true;
    this.freshToken = false;
    if (this.pending.size === 0) this.brokenSince = undefined;
    for (const { request } of this.pending.values()) this.stream?.write(request);
    this.watch();
    this.emit("opened", opened);
  }

  private reject(rejection: Rejection): void {
    // A piece that is not shown is no loss: what counts is the history.
    if (rejection.delta) return;
    const code = rejection.status?.code ?? status.UNKNOWN;
    const message = rejection.status?.message ?? "the frame was refused";
    // Its fate is not known, or it may go through later: it stays, and is sent again in order.
    if (passes(code)) return this.abandon(message);
    this.settle(rejection.historyId)?.reject(new FrameRejected(rejection.historyId, code, message));
  }

  private control(control: Control): void {
    this.emit("control", control);
    const why = ENDS[control.kind];
    if (why) this.finish(new RecordingEnded(why, `the service ended the recording: ${why}`));
  }

  private settle(id: string): Pending | undefined {
    const found = this.pending.get(id);
    this.pending.delete(id);
    return found;
  }

  private finishIfIdle(): void {
    if (!this.closing || this.pending.size > 0 || this.end) return;
    if (this.live && !this.halfClosed) {
      this.halfClosed = true;
      this.stream?.end();
    } else if (!this.stream) this.finish(new RecordingEnded("closed", "closed while the service was away"));
  }

  /** A stream ended: by our half-close, by a fault after which we resume, or for good. */
  private lost(error?: ServiceError): void {
    this.stream = undefined;
    this.live = false;
    if (this.end) return;
    if (!error && this.closing && this.pending.size === 0) {
      return this.finish(new RecordingEnded("closed", "the recording was closed"));
    }
    // The service token may have ended before its time: once, another is asked for.
    if (error?.code === status.UNAUTHENTICATED && !this.freshToken) this.freshToken = true;
    else if (error && !passes(error.code)) {
      return this.finish(new RecordingEnded("refused", error.details, error.code));
    }
    this.retry(error ?? new Error("the service ended the stream"));
  }

  private retry(error: Error): void {
    if (this.end) return;
    this.brokenSince ??= Date.now();
    if (Date.now() - this.brokenSince > this.options.patience) {
      return this.finish(new RecordingEnded("unreachable", `the service could not be reached: ${error.message}`));
    }
    this.emit("broken", error);
    // Jitter, so that a thousand recordings do not come back in the same instant.
    setTimeout(() => void this.connect(), this.pause * (0.5 + Math.random()));
    this.pause = Math.min(this.pause * 2, LONGEST_PAUSE);
  }

  /** Gives up a stream that is of no use, and comes back on another. */
  private abandon(why: string): void {
    const stream = this.stream;
    const unavailable = { code: status.UNAVAILABLE, details: why, metadata: new Metadata() };
    this.lost(Object.assign(new Error(why), unavailable));
    stream?.cancel();
  }

  /** Takes a stream for broken that leaves frames unanswered for too long: a half-open connection says nothing. */
  private watch(): void {
    if (this.timer || this.pending.size === 0 || this.end) return;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      if (this.live && this.pending.size > 0 && Date.now() - this.lastSign > this.options.silence) {
        this.abandon("the stream was silent for too long");
      }
      this.watch();
    }, this.options.silence / 4);
    this.timer.unref();
  }

  private finish(end: RecordingEnded): void {
    if (this.end) return;
    this.end = end;
    clearTimeout(this.timer);
    const stream = this.stream;
    this.stream = undefined;
    this.live = false;
    stream?.cancel();
    for (const { reject } of this.pending.values()) reject(end);
    this.pending.clear();
    this.emit("ended", end);
  }
}
