-- It runs with its caller's rights. What fails is a warning, so that a message
-- never costs its sender the transaction.
CREATE FUNCTION realtime.send(payload jsonb, event text, topic text, private boolean DEFAULT true)
RETURNS void LANGUAGE plpgsql AS $body$
DECLARE
  message uuid := gen_random_uuid();
BEGIN
  IF NOT payload ? 'id' THEN
    payload := jsonb_set(payload, '{id}', to_jsonb(message));
  END IF;
  PERFORM set_config('realtime.topic', topic, true);
  INSERT INTO realtime.messages (id, payload, event, topic, private, extension)
  VALUES (message, payload, event, topic, private, 'broadcast');
EXCEPTION WHEN OTHERS THEN
  RAISE WARNING 'WarnSendingBroadcastMessage: %', SQLERRM;
END
$body$;
GRANT EXECUTE ON FUNCTION realtime.send(jsonb, text, text, boolean) TO PUBLIC;
