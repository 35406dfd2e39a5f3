"""OpenTelemetry to Application Insights and OTLP receivers, by way of a spool on disk."""
