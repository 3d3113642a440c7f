import { status } from "@grpc/grpc-js";

/** Codes after which another try may well go through. */
const PASSING = new Set<number>([
  status.UNAVAILABLE,
  status.CANCELLED,
  status.DEADLINE_EXCEEDED,
  status.ABORTED,
  status.RESOURCE_EXHAUSTED,
  status.INTERNAL, // grpc-js says so of a stream that was reset
]);

/** Whether another try may well go through. */
export function passes(code: number): boolean {
  return PASSING.has(code);
}

/** The service refused one frame; nothing of it is stored, and the recording goes on. */
export class FrameRejected extends Error {
  constructor(
    readonly frameId: string,
    /** A gRPC status code. */
    readonly code: number,
    message: string,
  ) {
    super(message);
    this.name = "FrameRejected";
  }
}

/** The recording ended, and what was not acknowledged by then is not stored for certain. */
export class RecordingEnded extends Error {
  constructor(
    readonly why: EndReason,
    message: string,
    readonly code?: number,
  ) {
    super(message);
    this.name = "RecordingEnded";
  }
}

/** More frames wait for their acknowledgement than may. */
export class TooManyPending extends Error {
  constructor(most: number) {
    super(`${most} frames wait for their acknowledgement: await send() before more are sent`);
    this.name = "TooManyPending";
  }
}

/**
 * Why a recording ended: closed by us; its session was deleted; a right was revoked; the service refuses to open
 * or resume it; or it could not be reached for too long.
 */
export type EndReason = "closed" | "session_deleted" | "right_revoked" | "account_transferred" | "refused" | "unreachable";
