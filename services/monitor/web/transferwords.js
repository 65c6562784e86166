// A transfer in words: who to whom, of what kind, and where it is.

import { t } from "/static/shared/i18n.js";
import { phaseOf } from "./transferfacts.js";

/** The kind in words; a switch may have others than we know. Into which queue, too, once somebody there is the target. */
export function kindText({ kind, site, to_agent: agent, to_queue: queue }, board) {
  const words = ["blind", "attended", "queue"].includes(kind) ? t(`transfers.kind.${kind}`) : kind;
  return kind === "queue" && agent && queue ? `${words} ${board.queueLabel(site, queue)}` : words;
}

/** Where a running one is, or how it ended. */
export function phaseText(transfer) {
  return t(`transfers.${phaseOf(transfer)}`);
}

/** Who it is from; a finished one brings the names that its agents had. */
export function fromText(transfer, board) {
  return nameOf(board, transfer.site, transfer.from_agent, transfer.from_name);
}

/** Whom it goes to: an agent, a queue or a number. */
export function targetText(transfer, board) {
  const { site, to_agent: agent, to_queue: queue, to_number: number, to_name: told } = transfer;
  return (agent && nameOf(board, site, agent, told)) || (queue && board.queueLabel(site, queue)) || number || t("transfers.unknown_target");
}

/** "Ana Silva → Bo Lind" */
export function routeText(transfer, board) {
  return `${fromText(transfer, board)} → ${targetText(transfer, board)}`;
}

function nameOf(board, site, agent, told) {
  return told && told !== agent ? told : board.agentName(site, agent); // who had no name is told by the id
}
