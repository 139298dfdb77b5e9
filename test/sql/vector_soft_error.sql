-- Soft errors of the text form of vector, which came with PostgreSQL 16.
SELECT current_setting('server_version_num')::int < 160000 AS all_errors_are_hard \gset
\if :all_errors_are_hard
\quit
\endif
SELECT literal, pg_input_is_valid(literal, 'vector(2)') AS valid
FROM unnest(ARRAY['[1,2]', '[1]', '[1', '[1,2]x', '[]', '[1,nan]', '[1,1e39]', '']) AS literal;
SELECT * FROM pg_input_error_info('[1,x]', 'vector');
SELECT * FROM pg_input_error_info('[1,1e39]', 'vector');
SELECT * FROM pg_input_error_info('[1,NaN]', 'vector');
SELECT * FROM pg_input_error_info('[]', 'vector');
SELECT * FROM pg_input_error_info('[1,2]', 'vector(3)');
SELECT message, sql_error_code FROM pg_input_error_info('[' || repeat('1,', 16000) || '1]', 'vector');
