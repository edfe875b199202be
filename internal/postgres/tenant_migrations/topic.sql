-- The topic that is asked about, for policies.
CREATE FUNCTION realtime.topic() RETURNS text LANGUAGE sql STABLE AS $body$
  SELECT nullif(current_setting('realtime.topic', true), '')
$body$;
GRANT EXECUTE ON FUNCTION realtime.topic() TO PUBLIC;
