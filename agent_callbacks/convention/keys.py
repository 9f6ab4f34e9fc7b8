"""Every attribute key this package writes, once.

Standard keys come from the OpenTelemetry GenAI conventions (``gen-ai-dev/1.42.0-dev``) and the core registry; keys of
our own live under ``agent_callbacks.``, a prefix that can never change. Durations are float seconds, tokens are ints,
structured content is compact JSON.
"""

from __future__ import annotations

from typing import Final

SCHEMA_URL: Final = "https://opentelemetry.io/schemas/gen-ai-dev/1.42.0-dev"
SCOPE_NAME: Final = "agent_callbacks"

# --- who asked -------------------------------------------------------------------------------------------------------
USER_ID: Final = "user.id"
SESSION_ID: Final = "session.id"
CONVERSATION_ID: Final = "gen_ai.conversation.id"
FEATURE_FLAG_KEY: Final = "feature_flag.key"
FEATURE_FLAG_VARIANT: Final = "feature_flag.result.variant"
METADATA: Final = "metadata"
TAGS: Final = "tag.tags"

# --- every operation -------------------------------------------------------------------------------------------------
OPERATION_NAME: Final = "gen_ai.operation.name"
PROVIDER_NAME: Final = "gen_ai.provider.name"
SYSTEM: Final = "gen_ai.system"  # the older name of the provider; read only
ERROR_TYPE: Final = "error.type"
OUTCOME: Final = "agent_callbacks.outcome"
NAME_RAW: Final = "agent_callbacks.name.raw"
NAME_RULES: Final = "agent_callbacks.name.rules"
SANITIZER_DISABLED: Final = "agent_callbacks.sanitizer.disabled"
CONTENT_DROPPED_BYTES: Final = "agent_callbacks.content.dropped_bytes"
RETRY_ATTEMPT: Final = "agent_callbacks.retry.attempt"
LINK_KIND: Final = "agent_callbacks.link.kind"
EVENT_DATA: Final = "agent_callbacks.event.data"
EXCEPTION_EVENT: Final = "exception"
EXCEPTION_TYPE: Final = "exception.type"
EXCEPTION_MESSAGE: Final = "exception.message"
EXCEPTION_STACKTRACE: Final = "exception.stacktrace"

# --- agent run, step, chain, node ------------------------------------------------------------------------------------
AGENT_NAME: Final = "gen_ai.agent.name"
WORKFLOW_NAME: Final = "gen_ai.workflow.name"
NODE_NAME: Final = "agent_callbacks.node.name"
STEP_INDEX: Final = "agent_callbacks.step.index"
STEP_AGENT: Final = "agent_callbacks.step.agent"
STEP_INPUT_TOKENS: Final = "agent_callbacks.step.input_tokens"
STEP_OUTPUT_TOKENS: Final = "agent_callbacks.step.output_tokens"
RUN_STEPS: Final = "agent_callbacks.run.steps"
RUN_MODEL_CALLS: Final = "agent_callbacks.run.model_calls"
RUN_TOOL_CALLS: Final = "agent_callbacks.run.tool_calls"
RUN_INPUT_TOKENS: Final = "agent_callbacks.run.input_tokens"
RUN_OUTPUT_TOKENS: Final = "agent_callbacks.run.output_tokens"
RUN_TOTAL_INPUT_TOKENS: Final = "agent_callbacks.run.total_input_tokens"
RUN_TOTAL_OUTPUT_TOKENS: Final = "agent_callbacks.run.total_output_tokens"
RUN_CONTEXT_MULTIPLE: Final = "agent_callbacks.run.context_multiple"
RUN_CONTEXT_GROWTH: Final = "agent_callbacks.run.context_growth"
STEP_MARGINAL_TOKENS: Final = "agent_callbacks.step.marginal_tokens"
STEP_MARGINAL_RATIO: Final = "agent_callbacks.step.marginal_ratio"
STEP_CACHED_SHARE: Final = "agent_callbacks.step.cached_share"
STEP_COST: Final = "agent_callbacks.step.cost"
STEP_MARGINAL_COST: Final = "agent_callbacks.step.marginal_cost"
RUN_COST: Final = "agent_callbacks.run.cost"
RUN_TOTAL_COST: Final = "agent_callbacks.run.total_cost"
RUN_HANDLER_DURATION: Final = "agent_callbacks.run.handler_duration"
RUN_THREAD_ID: Final = "agent_callbacks.run.thread_id"
CHECKPOINT_ID: Final = "agent_callbacks.run.checkpoint_id"

# --- model call ------------------------------------------------------------------------------------------------------
REQUEST_MODEL: Final = "gen_ai.request.model"
REQUEST_TEMPERATURE: Final = "gen_ai.request.temperature"
REQUEST_TOP_P: Final = "gen_ai.request.top_p"
REQUEST_TOP_K: Final = "gen_ai.request.top_k"
REQUEST_MAX_TOKENS: Final = "gen_ai.request.max_tokens"
REQUEST_STOP_SEQUENCES: Final = "gen_ai.request.stop_sequences"
REQUEST_FREQUENCY_PENALTY: Final = "gen_ai.request.frequency_penalty"
REQUEST_PRESENCE_PENALTY: Final = "gen_ai.request.presence_penalty"
REQUEST_SEED: Final = "gen_ai.request.seed"
REQUEST_CHOICE_COUNT: Final = "gen_ai.request.choice.count"
REQUEST_STREAM: Final = "gen_ai.request.stream"
RESPONSE_MODEL: Final = "gen_ai.response.model"
RESPONSE_ID: Final = "gen_ai.response.id"
RESPONSE_FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
RESPONSE_FINISH_REASON_RAW: Final = "agent_callbacks.llm.finish_reason_raw"
TIME_TO_FIRST_CHUNK: Final = "gen_ai.response.time_to_first_chunk"
SERVER_TIME_TO_FIRST_TOKEN: Final = "gen_ai.server.time_to_first_token"  # others write it on spans; read only
TIME_TO_FIRST_CONTENT: Final = "agent_callbacks.llm.time_to_first_content"
TIME_PER_OUTPUT_TOKEN: Final = "agent_callbacks.llm.time_per_output_token"
GENERATION_DURATION: Final = "agent_callbacks.llm.generation_duration"
CHUNKS: Final = "agent_callbacks.llm.chunks"
CACHE_HIT: Final = "agent_callbacks.llm.cache_hit"
PROMPT_CHARS: Final = "agent_callbacks.llm.prompt_chars"
INTERNAL_CALL: Final = "agent_callbacks.llm.internal"
SERVER_ADDRESS: Final = "server.address"
SERVER_PORT: Final = "server.port"
USAGE_INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
USAGE_OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
USAGE_TOTAL: Final = "gen_ai.usage.total_tokens"  # others write it; read only
USAGE_CACHE_READ: Final = "gen_ai.usage.cache_read.input_tokens"
USAGE_CACHE_WRITE: Final = "gen_ai.usage.cache_write.input_tokens"
USAGE_CACHE_CREATION: Final = "gen_ai.usage.cache_creation.input_tokens"
USAGE_CACHE_WRITE_1H: Final = "agent_callbacks.llm.cache_write_1h_tokens"
USAGE_REASONING: Final = "gen_ai.usage.reasoning.output_tokens"
LLM_COST: Final = "agent_callbacks.llm.cost"
UNPRICED_MODELS: Final = "agent_callbacks.cost.unpriced_models"
SERVICE_TIER: Final = "openai.response.service_tier"
TOKENS_METHOD: Final = "agent_callbacks.tokens.method"
TOKENS_USAGE_ESTIMATED: Final = "agent_callbacks.tokens.usage_estimated"
TOKENS_ENCODING_ASSUMED: Final = "agent_callbacks.tokens.encoding_assumed"
TOKENS_MISMATCH: Final = "agent_callbacks.tokens.mismatch"
INPUT_MESSAGES: Final = "gen_ai.input.messages"
OUTPUT_MESSAGES: Final = "gen_ai.output.messages"
SYSTEM_INSTRUCTIONS: Final = "gen_ai.system_instructions"
TOOL_DEFINITIONS: Final = "gen_ai.tool.definitions"

# --- what the input tokens are: one key a bucket, in the order of the buckets ---------------------------------------
LLM_TOKENS: Final = (
    "agent_callbacks.llm.tokens.system_prompt",
    "agent_callbacks.llm.tokens.tool_schemas",
    "agent_callbacks.llm.tokens.history",
    "agent_callbacks.llm.tokens.tool_outputs",
    "agent_callbacks.llm.tokens.other",
)
LLM_CACHED_TOKENS: Final = (
    "agent_callbacks.llm.cached_tokens.system_prompt",
    "agent_callbacks.llm.cached_tokens.tool_schemas",
    "agent_callbacks.llm.cached_tokens.history",
    "agent_callbacks.llm.cached_tokens.tool_outputs",
    "agent_callbacks.llm.cached_tokens.other",
)
STEP_TOKENS: Final = (
    "agent_callbacks.step.tokens.system_prompt",
    "agent_callbacks.step.tokens.tool_schemas",
    "agent_callbacks.step.tokens.history",
    "agent_callbacks.step.tokens.tool_outputs",
    "agent_callbacks.step.tokens.other",
)
RUN_TOKENS: Final = (
    "agent_callbacks.run.tokens.system_prompt",
    "agent_callbacks.run.tokens.tool_schemas",
    "agent_callbacks.run.tokens.history",
    "agent_callbacks.run.tokens.tool_outputs",
    "agent_callbacks.run.tokens.other",
)
MARGINAL_ALERT_EVENT: Final = "agent_callbacks.alert.marginal_ratio"
CONTEXT_ALERT_EVENT: Final = "agent_callbacks.alert.context_multiple"
ALERT_THRESHOLD: Final = "agent_callbacks.alert.threshold"
ALERT_MESSAGE: Final = "agent_callbacks.alert.message"

# --- embeddings -----------------------------------------------------------------------------------------------------
EMBEDDINGS_DIMENSION_COUNT: Final = "gen_ai.embeddings.dimension.count"
EMBEDDINGS_COUNT: Final = "agent_callbacks.embeddings.count"

# --- tool ------------------------------------------------------------------------------------------------------------
TOOL_NAME: Final = "gen_ai.tool.name"
TOOL_CALL_ID: Final = "gen_ai.tool.call.id"
TOOL_TYPE: Final = "gen_ai.tool.type"
TOOL_DESCRIPTION: Final = "gen_ai.tool.description"
TOOL_ARGUMENTS: Final = "gen_ai.tool.call.arguments"
TOOL_RESULT: Final = "gen_ai.tool.call.result"
TOOL_REQUESTED_NAME: Final = "agent_callbacks.tool.requested_name"
TOOL_DOWNSTREAM_DURATION: Final = "agent_callbacks.tool.downstream_duration"
TOOL_DOWNSTREAM_PEERS: Final = "agent_callbacks.tool.downstream_peers"
TOOL_DOWNSTREAM_PEER_DURATIONS: Final = "agent_callbacks.tool.downstream_peer_durations"
TOOL_DOWNSTREAM_METHOD: Final = "agent_callbacks.tool.downstream_method"
TOOL_MARSHALING_DURATION: Final = "agent_callbacks.tool.marshaling_duration"
TOOL_QUEUE_DURATION: Final = "agent_callbacks.tool.queue_duration"

# --- retriever -------------------------------------------------------------------------------------------------------
DATA_SOURCE_ID: Final = "gen_ai.data_source.id"
RETRIEVAL_TOP_K: Final = "gen_ai.retrieval.top_k"
RETRIEVAL_QUERY: Final = "gen_ai.retrieval.query.text"
RETRIEVAL_DOCUMENTS: Final = "gen_ai.retrieval.documents"
RETRIEVER_DOCUMENT_COUNT: Final = "agent_callbacks.retriever.document_count"
RETRIEVER_SCORES: Final = "agent_callbacks.retriever.scores"
RETRIEVER_CONTENTS: Final = "agent_callbacks.retriever.contents"

# --- what other backends need to show everything (facts: bridge keys) ------------------------------------------------
OPENINFERENCE_KIND: Final = "openinference.span.kind"
INPUT_VALUE: Final = "input.value"
OUTPUT_VALUE: Final = "output.value"

# --- what the application says of a run, after it ended --------------------------------------------------------------
EVALUATION_EVENT: Final = "gen_ai.evaluation.result"
EVALUATION_NAME: Final = "gen_ai.evaluation.name"
EVALUATION_SCORE: Final = "gen_ai.evaluation.score.value"
EVALUATION_LABEL: Final = "gen_ai.evaluation.score.label"
EVALUATION_EXPLANATION: Final = "gen_ai.evaluation.explanation"
EVALUATION_SPAN: Final = "evaluation.result"
"""The name of the short span that carries the event: one name, whatever was evaluated."""

# --- metrics; durations and costs of one span are metrics under the keys of its attributes ---------------------------
METRIC_OPERATION_DURATION: Final = "gen_ai.client.operation.duration"
METRIC_TIME_TO_FIRST_CHUNK: Final = "gen_ai.client.operation.time_to_first_chunk"
METRIC_TOKEN_USAGE: Final = "gen_ai.client.token.usage"
METRIC_TOOL_DURATION: Final = "gen_ai.execute_tool.duration"
METRIC_AGENT_DURATION: Final = "gen_ai.invoke_agent.duration"
METRIC_WORKFLOW_DURATION: Final = "gen_ai.invoke_workflow.duration"
METRIC_STEP_TOKENS: Final = "agent_callbacks.step.tokens"
TOKEN_TYPE: Final = "gen_ai.token.type"
TOKEN_BUCKET: Final = "agent_callbacks.token.bucket"

IDENTITIES: Final = frozenset({
    USER_ID, SESSION_ID, CONVERSATION_ID, TOOL_CALL_ID, RESPONSE_ID, RUN_THREAD_ID, CHECKPOINT_ID, "enduser.id",
    "enduser.pseudo.id",
})  # fmt: skip
"""Keys of ids, which are checked for unmistakable forms only: an id of digits is not a card."""
ENVIRONMENT_PREFIX: Final = "AGENT_CALLBACKS_"
