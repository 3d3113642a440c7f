/**
 * The histories of sessions, in the product's vocabulary. The shapes come from the protos; a type is the name of a
 * field of ChatSessionHistory or ProcedureSessionHistory, and its body is that field's JSON.
 */
import type { ChatSessionHistory, DeepPartial, ProcedureSessionHistory } from "./generated/wrtn/sessions/v1/histories.js";
import type { TokenUsage } from "./generated/wrtn/sessions/v1/token_usage.js";

type Whole<T> = { [K in keyof T]-?: Whole<NonNullable<T[K]>> };

type Typed<H> = { [T in keyof H]-?: { type: T; body: DeepPartial<NonNullable<H[T]>> } }[keyof H];

/** How many tokens were used, with plain numbers. */
export type IWrtnTokenUsage = Whole<TokenUsage>;

/** One thing that was said or done in a chat: `type` tells which of the documented bodies it has. */
export type IWrtnChatSessionHistory = Typed<ChatSessionHistory>;

/** One thing that was done in a procedure session; its `arguments` and `value` are checked by the procedure's forms. */
export type IWrtnProcedureSessionHistory = Typed<ProcedureSessionHistory>;

/** A history of a documented type, of either kind of session. */
export type IWrtnHistory = IWrtnChatSessionHistory | IWrtnProcedureSessionHistory;

/** The body of one type, as in `IWrtnHistoryBody<"user_message">`. */
export type IWrtnHistoryBody<T extends IWrtnHistory["type"]> = Extract<IWrtnHistory, { type: T }>["body"];

/** A type of the websocket server's own: stored and returned like the documented ones. */
export interface OwnHistory {
  /** Lower-case letters, digits and underscores, as in "tool_progress". */
  type: string & {};
  /** Any JSON value. */
  body: unknown;
}

/** Answers a usage of which only what is not zero need be named; the totals are computed. */
export function tokenUsage(parts: {
  input?: number;
  cached?: number;
  output?: number;
  reasoning?: number;
  accepted_prediction?: number;
  rejected_prediction?: number;
}): IWrtnTokenUsage {
  const { input = 0, cached = 0, output = 0, reasoning = 0 } = parts;
  const { accepted_prediction = 0, rejected_prediction = 0 } = parts;
  return {
    total: input + output,
    input: { total: input, cached },
    output: { total: output, reasoning, accepted_prediction, rejected_prediction },
  };
}
