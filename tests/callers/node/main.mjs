// Asks frostgate for decisions, one by one and then all together, and prints what came of each.
//
//   node main.mjs 127.0.0.1:50051 < checks.json

import { json } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";

// How long an operation may be held up by its check. A call without a deadline may wait for ever.
const TIMEOUT_MS = 5000;

const definition = loadSync(["frostgate/v1/policy_decision_service.proto", "google/rpc/error_details.proto"], {
  includeDirs: [fileURLToPath(new URL("proto", import.meta.url))],
  keepCase: true, // Fields are named as in the protos.
  enums: String, // Values too: "DECISION_DENY", not 2.
  longs: String, // A revision has 64 bits, more than a Number holds.
  defaults: true, // What is not set has its default, but for optional fields: they are null.
  json: true, // The details of an error are unpacked, since error_details.proto is loaded too.
});
const { PolicyDecisionService } = grpc.loadPackageDefinition(definition).frostgate.v1;

// An answer. A denial is one too: whatever is not ALLOW, even a decision that this program does not know.
function answer(response) {
  return {
    allowed: response.decision === "DECISION_ALLOW",
    decision: response.decision,
    reason: response.reason,
    message: response.message,
    freeze_state: response.freeze_state, // null: the customer is unknown,
    basis: response.basis, // and no rule was asked.
  };
}

// No answer: an error is not to be read as ALLOW, nor as DENY. What to do then depends on the operation.
function noAnswer(status) {
  // Its reason is for programs. Errors of gRPC itself, such as DEADLINE_EXCEEDED, have none.
  const info = status.details.find((detail) => detail["@type"] === "type.googleapis.com/google.rpc.ErrorInfo");
  return { code: grpc.status[status.code], error_reason: info?.reason, metadata: info?.metadata };
}

// The google.rpc.Status of a call that failed: it has the details, which the error itself has not.
function statusOf(error) {
  const [serialized] = error.metadata.get("grpc-status-details-bin");
  return serialized ? definition["google.rpc.Status"].deserialize(serialized) : { code: error.code, details: [] };
}

function check(client, request) {
  return new Promise((resolve) => {
    client.CheckOperation(request, { deadline: Date.now() + TIMEOUT_MS }, (error, response) => {
      resolve(error ? noAnswer(statusOf(error)) : answer(response));
    });
  });
}

// All from one state of the customers, such as for a page of buttons. What is wrong with one check is its own result;
// if the call itself fails, there is no answer to any of them.
function checkTogether(client, checks) {
  return new Promise((resolve) => {
    client.BatchCheckOperations({ checks }, { deadline: Date.now() + TIMEOUT_MS }, (error, batch) => {
      if (error) {
        resolve(checks.map(() => noAnswer(statusOf(error))));
      } else {
        resolve(batch.results.map((one) => (one.response ? answer(one.response) : noAnswer(one.error))));
      }
    });
  });
}

const checks = await json(process.stdin);
// One client for as long as the program runs: it keeps its connection, and makes a new one when that is lost.
const client = new PolicyDecisionService(process.argv[2], grpc.credentials.createInsecure());
const oneByOne = [];
for (const request of checks) {
  oneByOne.push(await check(client, request));
}
const together = await checkTogether(client, checks);
client.close();
console.log(JSON.stringify({ one_by_one: oneByOne, together }, null, 2));
