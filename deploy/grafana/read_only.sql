-- A role for Grafana that sees what dashboards need: no tokens, no audit log, no settings of sources.
--   psql --username city --dbname city --set password="'…'" --file deploy/grafana/read_only.sql
CREATE ROLE grafana LOGIN PASSWORD :password;
GRANT USAGE ON SCHEMA public TO grafana;
GRANT SELECT ON forecasts, forecast_values, readings, runs, versions, promotions, jobs, alarms,
    proposals, notices TO grafana;
