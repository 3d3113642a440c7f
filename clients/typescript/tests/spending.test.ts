import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { Metadata, Server, ServerCredentials, status, type sendUnaryData, type ServerUnaryCall } from "@grpc/grpc-js";
import { ErrorInfo } from "../src/generated/google/rpc/error_details.js";
import { Status } from "../src/generated/google/rpc/status.js";
import {
  Reservation,
  Reservation_State,
  SpendServiceService,
  type AuthorizeSpendRequest,
} from "../src/generated/wrtn/billing/v1/spending.js";
import { Opened } from "../src/generated/wrtn/sessions/v1/recorder.js";
import { Spending, SpendRefused } from "../src/index.js";

const session = Opened.fromPartial({
  connectionId: "connection",
  chatSessionId: "session",
  accountId: "account",
  tenantId: "tenant",
  teamId: "team",
  model: "m/m",
});

/** A billing service in this process: what it was asked, and how it answers. */
const billing = { asked: [] as AuthorizeSpendRequest[], tokens: [] as string[], refusal: "" };
const server = new Server();
let spending: Spending;

type Call<T> = ServerUnaryCall<T, Reservation>;
type Answer = sendUnaryData<Reservation>;

function authorize(call: Call<AuthorizeSpendRequest>, answer: Answer): void {
  billing.asked.push(call.request);
  billing.tokens.push(String(call.metadata.get("authorization")[0]));
  if (billing.refusal === "UNAUTHENTICATED" && billing.tokens.length === 1) {
    return answer({ code: status.UNAUTHENTICATED, details: "expired" });
  }
  if (billing.refusal !== "BUDGET_EXCEEDED") return answer(null, reservation(call.request.reservationId));
  const info = { reason: billing.refusal, domain: "billing", metadata: { level: "team", left: "0.5" } };
  const detail = { typeUrl: "type.googleapis.com/google.rpc.ErrorInfo", value: ErrorInfo.encode(info).finish() };
  const message = "The budget of this team does not cover it.";
  const metadata = new Metadata();
  const whole = { code: status.RESOURCE_EXHAUSTED, message, details: [detail] };
  metadata.set("grpc-status-details-bin", Buffer.from(Status.encode(whole).finish()));
  answer({ code: status.RESOURCE_EXHAUSTED, details: message, metadata });
}

function reservation(id: string, state = Reservation_State.STATE_HELD): Reservation {
  return Reservation.create({ id, tenantId: "tenant", state, amount: "1", currency: "USD" });
}

before(async () => {
  const releaseReservation = (call: Call<{ reservationId: string }>, answer: Answer) =>
    answer(null, reservation(call.request.reservationId, Reservation_State.STATE_RELEASED));
  server.addService(SpendServiceService, { authorizeSpend: authorize, releaseReservation } as never);
  const port = await new Promise((resolve) =>
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (_, bound) => resolve(bound)),
  );
  spending = new Spending({ address: `127.0.0.1:${port}`, tokens: async (fresh) => (fresh ? "new" : "old") });
});

beforeEach(() => {
  Object.assign(billing, { asked: [], tokens: [], refusal: "" });
});

after(() => {
  spending.close();
  server.forceShutdown();
});

test("what a call may cost is reserved for the account and team of the session, and given back", async () => {
  const held = await spending.authorize(session, { input: 10, output: 20 });
  const [asked] = billing.asked;
  assert.deepEqual(
    [asked?.tenantId, asked?.accountId, asked?.teamId, asked?.model, asked?.estimate?.tokens],
    ["tenant", "account", "team", "m/m", { input: 10, output: 20 }],
  );
  assert.equal(asked?.procedureId, "");
  assert.equal(held.id, asked?.reservationId);
  assert.equal((await spending.release(held)).state, Reservation_State.STATE_RELEASED);
});

test("a call that is not priced by tokens is reserved as an amount", async () => {
  await spending.authorize(session, { amount: "0.08" }, "m/pictures");
  assert.deepEqual([billing.asked[0]?.model, billing.asked[0]?.estimate], ["m/pictures", { tokens: undefined, amount: "0.08" }]);
});

test("what a run of a procedure may cost is reserved of the budgets of the procedure, too", async () => {
  await spending.authorize({ ...session, model: "", procedureId: "p" }, { input: 0, output: 0 });
  assert.deepEqual([billing.asked[0]?.model, billing.asked[0]?.procedureId], ["procedure/p", "p"]);
});

test("a refusal says in words what is used up, and as facts which level", async () => {
  billing.refusal = "BUDGET_EXCEEDED";
  await assert.rejects(spending.authorize(session, { input: 1, output: 1 }), (error: unknown) => {
    assert.ok(error instanceof SpendRefused);
    assert.deepEqual([error.message, error.code], ["The budget of this team does not cover it.", 8]);
    assert.deepEqual([error.reason, error.facts], ["BUDGET_EXCEEDED", { level: "team", left: "0.5" }]);
    return true;
  });
  assert.equal(billing.asked.length, 1);
});

test("a service token that ended is exchanged once", async () => {
  billing.refusal = "UNAUTHENTICATED";
  await spending.authorize(session, { input: 1, output: 1 });
  assert.deepEqual(billing.tokens, ["Bearer old", "Bearer new"]);
});
