/** Records conversations in wrtn from a websocket server. */
export { Answer } from "./answer.js";
export { FrameRejected, RecordingEnded, TooManyPending, type EndReason } from "./errors.js";
export type { Extras } from "./frames.js";
export type { Reservation } from "./generated/wrtn/billing/v1/spending.js";
export type * from "./generated/wrtn/sessions/v1/histories.js";
export { Control_Kind, type Control, type Opened } from "./generated/wrtn/sessions/v1/recorder.js";
export type { UsageUnits } from "./generated/wrtn/sessions/v1/token_usage.js";
export * from "./histories.js";
export { Recorder, type RecorderOptions } from "./recorder.js";
export { Recording, type Opening, type RecordingOptions, type Stored } from "./recording.js";
export { Spending, SpendRefused, type Estimate, type SpendingOptions } from "./spending.js";
export { serviceTokens, type Tokens } from "./tokens.js";
