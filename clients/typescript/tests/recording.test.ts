import assert from "node:assert/strict";
import { once } from "node:events";
import { afterEach, beforeEach, test } from "node:test";
import { status } from "@grpc/grpc-js";
import { Control_Kind } from "../src/generated/wrtn/sessions/v1/recorder.js";
import {
  FrameRejected,
  Recorder,
  RecordingEnded,
  TooManyPending,
  tokenUsage,
  type IWrtnProcedureSessionHistory,
} from "../src/index.js";
import { fail, Service } from "./service.js";

let service: Service;
let recorder: Recorder;

const opening = { ticket: "ticket", client: "test", address: "127.0.0.1" };
const say = (text: string) => ({ type: "user_message", body: { text } }) as const;

function made(options: object = {}): Recorder {
  recorder = new Recorder({ address: `127.0.0.1:${service.port}`, tokens: async (fresh) => (fresh ? "new" : "old"), ...options });
  return recorder;
}

beforeEach(async () => {
  service = await new Service().start();
});

afterEach(() => {
  recorder.close();
  service.stop();
});

test("a history is acknowledged with its place, its body to the letter", async () => {
  const recording = await made().attach(opening);
  const reservationId = "0195f1a0-0000-7000-8000-000000000001";
  const usage = tokenUsage({ input: 10, cached: 4, output: 5, reasoning: 2 });
  const stored = await recording.send(say("hello"), { tokenUsage: usage, model: "openai/gpt-4.1", reservationId, fileIds: [reservationId] });
  assert.equal(stored.sequence, 1);
  const [frame] = service.stored;
  assert.deepEqual(
    [frame?.id, frame?.type, frame?.body, frame?.model],
    [stored.id, "user_message", '{"text":"hello"}', "openai/gpt-4.1"],
  );
  assert.deepEqual(frame?.tokenUsage, usage);
  assert.equal(frame?.reservationId, reservationId);
  assert.deepEqual(frame?.fileIds, [reservationId]);
  assert.deepEqual(service.openings, [{ ticket: "ticket", resumedConnectionId: undefined, client: "test", address: "127.0.0.1" }]);
  assert.equal(service.tokens[0], "Bearer old");
  await recording.close();
  assert.equal(service.calls.size, 0);
});

test("a run of a procedure is a history of a documented type", async () => {
  const recording = await made().attach(opening);
  const run: IWrtnProcedureSessionHistory = { type: "procedure_call", body: { arguments: { to: "ann" }, success: false, error: "away" } };
  // @ts-expect-error: the types of the body are those of the contract.
  const wrong: IWrtnProcedureSessionHistory = { type: "procedure_call", body: { arguments: {}, duration_ms: "long" } };
  await recording.send(run, { units: { requests: 3 } });
  await recording.send(wrong);
  assert.deepEqual(service.stored.map((each) => each.type), ["procedure_call", "procedure_call"]);
  assert.equal(service.stored[0]?.body, '{"arguments":{"to":"ann"},"success":false,"error":"away"}');
  assert.deepEqual(service.stored[0]?.units, { cacheWriteTokens: 0, requests: 3, images: 0, seconds: 0 });
  assert.equal(service.stored[1]?.units, undefined);
  await recording.close();
});

test("what was not acknowledged is sent again, in order, on a stream that resumes the connection", async () => {
  const recording = await made().attach(opening);
  service.onFrame = () => service.received.size <= 3;
  const sent = ["a", "b", "c"].map((text) => recording.send(say(text)));
  const broken = once(recording, "broken");
  while (service.received.size < 3) await new Promise(setImmediate);
  service.onFrame = () => false;
  service.breakAll();
  await broken;
  const stored = await Promise.all(sent);
  assert.deepEqual(stored.map((each) => each.sequence), [1, 2, 3]);
  assert.deepEqual(service.stored.map((each) => JSON.parse(each.body).text), ["a", "b", "c"]);
  assert.deepEqual([...service.received.values()], [2, 2, 2]);
  assert.equal(service.openings[1]?.resumedConnectionId, "connection-1");
  await recording.close();
});

test("it comes back after a long rest, and what was sent while the service was away is stored", async (context) => {
  const recording = await made().attach(opening);
  const rested = Date.now() + 3_600_000;
  context.mock.method(Date, "now", () => rested);
  const port = service.port;
  const broken = once(recording, "broken");
  service.stop();
  await broken;
  const sent = recording.send(say("while away"));
  service = await new Service().start(port);
  assert.equal((await sent).sequence, 1);
  assert.equal(service.openings[0]?.resumedConnectionId, "connection-1");
  await recording.close();
});

test("a frame that is refused rejects alone; the recording goes on", async () => {
  const recording = await made().attach(opening);
  service.onFrame = (frame, call) => {
    if (!frame.body.includes("bad")) return false;
    service.refuse(call, frame.id, status.ALREADY_EXISTS, "other body");
    return true;
  };
  await assert.rejects(recording.send(say("bad")), (error: unknown) => {
    return error instanceof FrameRejected && error.code === status.ALREADY_EXISTS && error.message === "other body";
  });
  assert.equal((await recording.send(say("good"))).sequence, 1);
  await recording.close();
});

test("a frame of unknown fate is sent again", async () => {
  const recording = await made().attach(opening);
  let once = true;
  service.onFrame = (frame, call) => {
    if (!once) return false;
    once = false;
    service.refuse(call, frame.id, status.UNAVAILABLE, "fate unknown");
    return true;
  };
  assert.equal((await recording.send(say("x"))).sequence, 1);
  assert.equal(service.openings.length, 2);
  await recording.close();
});

test("pieces of an answer are shown in place, gathered, and whole characters", async () => {
  const recording = await made().attach(opening);
  const writing = recording.answer();
  const whole = "안녕 😀 ".repeat(2000);
  for (const character of whole) writing.write(character);
  await recording.send(say("meanwhile"));
  while (service.shown.map((each) => each.text).join("") !== whole) await new Promise(setImmediate);
  assert.deepEqual(new Set(service.shown.map((each) => each.historyId)), new Set([writing.id]));
  for (const { position, text } of service.shown) {
    assert.equal(whole.slice(position, position + text.length), text);
    assert.ok(Buffer.byteLength(text) <= 16 * 1024);
  }
  assert.ok(service.shown.length < 100, `${service.shown.length} pieces`);
  await recording.close();
});

test("a piece that is refused disturbs neither the recording nor the history that replaces it", async () => {
  const recording = await made().attach(opening);
  const writing = recording.answer();
  service.onFrame = (frame, call) => (service.refuse(call, frame.id, status.RESOURCE_EXHAUSTED, "slower", true), false);
  const stored = await recording.send(say("whole"), { id: writing.id });
  assert.deepEqual([stored.id, stored.sequence, service.openings.length], [writing.id, 1, 1]);
  await recording.close();
});

for (const [kind, why] of [
  [Control_Kind.KIND_SESSION_DELETED, "session_deleted"],
  [Control_Kind.KIND_RIGHT_REVOKED, "right_revoked"],
  [Control_Kind.KIND_ACCOUNT_TRANSFERRED, "account_transferred"],
] as const) {
  test(`${why}: the recording ends, and what waits is rejected`, async () => {
    const recording = await made().attach(opening);
    service.onFrame = () => true;
    const sent = recording.send(say("x"));
    const ended = once(recording, "ended");
    service.tell(kind);
    await assert.rejects(sent, (error: unknown) => error instanceof RecordingEnded && error.why === why);
    assert.equal((await ended)[0].why, why);
    await assert.rejects(recording.send(say("y")), RecordingEnded);
    await recording.close();
  });
}

test("a server that drains is left for another, without a loss", async () => {
  const recording = await made().attach(opening);
  const controls: Control_Kind[] = [];
  recording.on("control", (control) => controls.push(control.kind));
  service.tell(Control_Kind.KIND_SERVER_DRAINING);
  service.breakAll();
  assert.equal((await recording.send(say("x"))).sequence, 1);
  assert.deepEqual(controls, [Control_Kind.KIND_SERVER_DRAINING]);
  await recording.close();
});

test("a refused ticket ends it at once", async () => {
  service.onOpen = (call) => (fail(call, status.NOT_FOUND, "no such session"), true);
  await assert.rejects(made().attach(opening), (error: unknown) => {
    return error instanceof RecordingEnded && error.why === "refused" && error.code === status.NOT_FOUND;
  });
});

test("a service token that ended is exchanged once", async () => {
  service.onOpen = (call, token) => token === "Bearer old" && (fail(call, status.UNAUTHENTICATED, "expired"), true);
  const recording = await made().attach(opening);
  assert.deepEqual(service.tokens, ["Bearer old", "Bearer new"]);
  await recording.close();
});

test("a credential that is refused twice ends it", async () => {
  service.onOpen = (call) => (fail(call, status.UNAUTHENTICATED, "revoked"), true);
  await assert.rejects(made().attach(opening), (error: unknown) => {
    return error instanceof RecordingEnded && error.why === "refused";
  });
  assert.equal(service.tokens.length, 2);
});

test("a silent stream is given up and resumed", async () => {
  const recording = await made({ silence: 40 }).attach(opening);
  service.onFrame = () => true;
  const sent = recording.send(say("x"));
  await once(recording, "broken");
  service.onFrame = () => false;
  assert.equal((await sent).sequence, 1);
  await recording.close();
});

test("frames are bounded while the service says nothing", async () => {
  const recording = await made({ mostPending: 2 }).attach(opening);
  service.onFrame = () => true;
  const sent = [recording.send(say("a")), recording.send(say("b"))];
  await assert.rejects(recording.send(say("c")), TooManyPending);
  service.onFrame = () => false;
  service.breakAll();
  await Promise.all(sent);
  await recording.close();
});

test("a service that stays away is given up after a while", async () => {
  const recording = await made({ patience: 100 }).attach(opening);
  service.onFrame = () => true;
  const sent = recording.send(say("x"));
  const ended = once(recording, "ended");
  service.stop();
  await assert.rejects(sent, (error: unknown) => {
    return error instanceof RecordingEnded && error.why === "unreachable";
  });
  await ended;
});

test("closing waits for what is due", async () => {
  const recording = await made().attach(opening);
  const sent = Array.from({ length: 50 }, (_, number) => recording.send(say(String(number))));
  await recording.close();
  assert.equal((await Promise.all(sent)).length, 50);
  assert.equal(service.stored.length, 50);
  await assert.rejects(recording.send(say("late")), RecordingEnded);
});
