/** What is sent to be recorded. */
import { randomUUID } from "node:crypto";
import type { Frame } from "./generated/wrtn/sessions/v1/recorder.js";
import { UsageUnits } from "./generated/wrtn/sessions/v1/token_usage.js";
import type { IWrtnHistory, IWrtnTokenUsage, OwnHistory } from "./histories.js";

/** What else is known of a history. */
export interface Extras {
  /** The id, a UUID; chosen here if not given. The same id with the same body is stored once. */
  id?: string;
  /** The tokens that it cost. */
  tokenUsage?: IWrtnTokenUsage;
  /** What it used besides, of a model that is priced so: images, seconds, requests, tokens written to a cache. */
  units?: Partial<UsageUnits>;
  /** The model that used them, if not the session's. */
  model?: string;
  /** The ids of the session's files that are attached, in order. */
  fileIds?: string[];
  /** The reservation of billing's AuthorizeSpend that the usage settles, a UUID. */
  reservationId?: string;
}

/** Answers the frame of a history. */
export function frameOf(history: IWrtnHistory | OwnHistory, extras: Extras): Frame {
  return {
    id: extras.id ?? randomUUID(),
    type: history.type,
    body: JSON.stringify(history.body),
    tokenUsage: extras.tokenUsage,
    units: extras.units && UsageUnits.fromPartial(extras.units),
    model: extras.model ?? "",
    reservationId: extras.reservationId ?? "",
    fileIds: extras.fileIds ?? [],
  };
}
