-- amvalidate: the extension's operator classes are right, broken ones are told.
SELECT opcname, amvalidate(pg_opclass.oid)
FROM pg_opclass JOIN pg_am ON pg_am.oid = opcmethod WHERE amname = 'vamana' ORDER BY opcname;

CREATE OPERATOR CLASS no_support FOR TYPE vector USING vamana AS
	OPERATOR 1 <-> (vector, vector) FOR ORDER BY float_ops;
CREATE OPERATOR CLASS no_operator FOR TYPE vector USING vamana AS
	FUNCTION 1 vamana_vector_l2_support(internal);
CREATE OPERATOR CLASS other_number FOR TYPE vector USING vamana AS
	OPERATOR 2 <-> (vector, vector) FOR ORDER BY float_ops,
	FUNCTION 1 vamana_vector_l2_support(internal);
CREATE OPERATOR CLASS search_operator FOR TYPE vector USING vamana AS
	OPERATOR 1 = (vector, vector),
	FUNCTION 1 vamana_vector_l2_support(internal);
CREATE OPERATOR CLASS other_order FOR TYPE vector USING vamana AS
	OPERATOR 1 + (vector, vector) FOR ORDER BY vector_ops,
	FUNCTION 1 vamana_vector_l2_support(internal);
CREATE OPERATOR CLASS other_signature FOR TYPE vector USING vamana AS
	OPERATOR 1 <-> (vector, vector) FOR ORDER BY float_ops,
	FUNCTION 1 vector_dims(vector);
CREATE OPERATOR CLASS other_type FOR TYPE real[] USING vamana AS
	OPERATOR 1 <-> (vector, vector) FOR ORDER BY float_ops,
	FUNCTION 1 vamana_vector_l2_support(internal);
CREATE OPERATOR CLASS second_function FOR TYPE vector USING vamana AS
	OPERATOR 1 <-> (vector, vector) FOR ORDER BY float_ops,
	FUNCTION 2 vamana_vector_l2_support(internal);
SELECT opcname, amvalidate(pg_opclass.oid)
FROM pg_opclass JOIN pg_am ON pg_am.oid = opcmethod
WHERE amname = 'vamana' AND opcname ~ '^(no|other|search)_' ORDER BY opcname;
-- An index with a broken one is refused, not crashed.
CREATE TABLE things (v vector(3));
CREATE INDEX ON things USING vamana (v no_support);
DROP TABLE things;
SET client_min_messages = warning;
DROP OPERATOR FAMILY no_support USING vamana;
DROP OPERATOR FAMILY no_operator USING vamana;
DROP OPERATOR FAMILY other_number USING vamana;
DROP OPERATOR FAMILY search_operator USING vamana;
DROP OPERATOR FAMILY other_order USING vamana;
DROP OPERATOR FAMILY other_signature USING vamana;
DROP OPERATOR FAMILY other_type USING vamana;
