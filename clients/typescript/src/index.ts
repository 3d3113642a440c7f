/** Records conversations in wrtn from a websocket server. */
export { Answer } from "./answer.js";
export { FrameRejected, RecordingEnded, TooManyPending, type EndReason } from "./errors.js";
export type { Reservation } from "./generated/wrtn/billing/v1/spending.js";
export type * from "./generated/wrtn/sessions/v1/histories.js";
export { Control_Kind, type Control, type Opened } from "./generated/wrtn/sessions/v1/recorder.js";
export * from "./histories.js";
export { Recorder, type RecorderOptions } from "./recorder.js";
export { Recording, type Extras, type Opening, type RecordingOptions, type Stored } from "./recording.js";
export { Spending, SpendRefused, type SpendingOptions } from "./spending.js";
export { serviceTokens, type Tokens } from "./tokens.js";
